"""The model of the page: axes, time without breaks, credits that end where the books do, and a text that is safe."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.keys import item_key
from jobs.lifecycle import EventType, ItemState
from jobs.record import Event, Record, fold
from jobs.report.axes import job_axes
from jobs.report.charts import caps_over_time, failures, money, thinned, times_by_model
from jobs.report.clockface import Clockface
from jobs.report.document import Parts, document, policy
from jobs.report.facts import Happening, LifeSpan, NoteLine, ReportItem, ReportRun, Source
from jobs.report.page_model import page_model
from jobs.report.replay import replayed
from runner.models_cache import packaged_catalogue

RUN = "m"


def happened(identity: str, *kinds: tuple[EventType, float, Mapping[str, object]], life: int = 1) -> list[Happening]:
    return [Happening(at_s=at, life_id=life, identity=identity, type=kind, data=data) for kind, at, data in kinds]


def intent(
    at_s: float, *, bound: int = 28, ordinal: int = 0, scope: str = RUN
) -> tuple[EventType, float, dict[str, object]]:
    data = {"epoch": 0, "ordinal": ordinal, "key": f"k{at_s}", "bound": bound, "price_class": "c", "scope": scope}
    return EventType.INTENT, at_s, {**data, "server_at_s": at_s}


def accepted(at_s: float, figure: int | None = None) -> tuple[EventType, float, dict[str, object]]:
    return EventType.ACCEPTED, at_s, {"task_id": f"t{at_s}", "reserved_credits": figure}


def succeeded(at_s: float, charge: int) -> tuple[EventType, float, dict[str, object]]:
    return EventType.SUCCEEDED, at_s, {"charge": charge, "final_credits": charge, "urls": ["https://x.test/a.png"]}


def failed(at_s: float, charge: int = 0, code: str = "generation_failed") -> tuple[EventType, float, dict[str, object]]:
    return EventType.FAILED, at_s, {"charge": charge, "final_credits": charge, "code": code, "message": "no luck"}


PLANNED: tuple[EventType, float, dict[str, object]] = (EventType.PLANNED, 0.0, {})


def record_of(events: Sequence[Happening]) -> Record:
    record: Record | None = None
    for one in events:
        record = fold(record, Event(type=one.type, at_s=one.at_s, identity=one.identity, data=one.data))
    assert record is not None
    return record


def item(
    name: str,
    axes: Mapping[str, object] | None = None,
    *,
    row: str | None = None,
    prompt: int | None = None,
    repeat: int = 1,
    events: Sequence[Happening] = (),
    model: str = "z-image",
    job: str = "j",
) -> ReportItem:
    axes = axes or {}
    return ReportItem(
        key=item_key(job, row, prompt, axes, repeat),
        job=job,
        model=model,
        prompt="a boat",
        params={},
        axes=axes,
        tags=(),
        repeat=repeat,
        reference_digests=(),
        record=record_of(events or happened(name, PLANNED)),
    )


# --- axes -----------------------------------------------------------------------------------------------------------


def names(found: Sequence[Mapping[str, object]]) -> list[object]:
    return [axis["name"] for axis in found]


def test_axes_that_always_move_together_are_one_to_look_at() -> None:
    pairs = [("a sneaker", "shoe"), ("a mug", "cup")]
    items = [
        item(f"{subject}{style}", {"vars.style": style, "vars.subject": subject, "references.0": reference})
        for subject, reference in pairs
        for style in ("ink", "neon")
    ]
    found = job_axes(items, {})

    assert names(found.axes) == ["vars.style", "vars.subject + references.0"]
    assert found.axes[1]["values"] == [
        {"label": "a sneaker · shoe", "text": "a sneaker · shoe"},
        {"label": "a mug · cup", "text": "a mug · cup"},
    ]
    assert found.places["a mugneon"] == (1, 1)


def test_what_does_not_vary_is_no_axis_and_rows_and_prompts_are() -> None:
    rows = [item(f"{row}{p}", {"model": "z-image"}, row=row, prompt=p) for row in ("sku=1", "sku=2") for p in (1, 2)]
    assert names(job_axes(rows, {}).axes) == ["row"]
    assert [value["label"] for value in job_axes(rows, {}).axes[0]["values"]] == [  # type: ignore[attr-defined]
        "sku=1,prompt=1", "sku=1,prompt=2", "sku=2,prompt=1", "sku=2,prompt=2"]  # fmt: skip
    prompts = [item(f"{p}{n}", prompt=p, repeat=n) for p in (1, 2) for n in (1, 2)]
    found = job_axes(prompts, {})
    assert names(found.axes) == ["prompt"]
    assert found.places["11"] == found.places["12"] == (0,), "repeats lie at one place"


@pytest.mark.parametrize(
    ("block", "layout"),
    [
        ({}, {"x": 1, "y": 2, "compare": None, "pages": []}),
        ({"x": "vars.a", "y": "vars.b"}, {"x": 0, "y": 1, "compare": None, "pages": []}),
        ({"x": "vars.a"}, {"x": 0, "y": 1, "compare": None, "pages": []}),
        ({"compare": "vars.b"}, {"x": 2, "y": 0, "compare": 1, "pages": []}),
        ({"pages": ["vars.b"]}, {"x": 2, "y": 0, "compare": None, "pages": [1]}),
        ({"x": "vars.gone", "y": None}, {"x": 1, "y": 2, "compare": None, "pages": []}),
        ({"x": "vars.a", "y": "vars.a"}, {"x": 0, "y": 1, "compare": None, "pages": []}),
    ],
)
def test_the_report_block_says_what_is_shown_first_and_else_the_longest_axes_are(
    block: Mapping[str, object], layout: Mapping[str, object]
) -> None:
    items = [
        item(f"{a}{b}{c}", {"vars.a": a, "vars.b": b, "vars.c": c})
        for a in range(2)
        for b in range(4)
        for c in range(3)
    ]
    assert job_axes(items, block).layout == layout


# --- time -----------------------------------------------------------------------------------------------------------


def test_a_night_between_two_lives_takes_no_room() -> None:
    clock = Clockface.of(
        [LifeSpan(life_id=1, started_s=100, ended_s=160), LifeSpan(life_id=2, started_s=5000, ended_s=None)],
        last_s=5030,
    )
    assert [clock.at(at) for at in (0, 100, 130, 160, 900, 5000, 5010, 9999)] == [0, 0, 30, 60, 60, 60, 70, 90]
    assert clock.total_s == 90
    assert clock.breaks_s == [(60, 4840)]
    assert Clockface.of([], last_s=5).total_s == Clockface.of([], last_s=5).at(7) == 0


spans = st.lists(st.tuples(st.integers(0, 1000), st.integers(0, 100)), min_size=1, max_size=6)


@given(spans, st.lists(st.integers(0, 1200), min_size=2, max_size=8))
def test_time_of_work_never_runs_backwards_and_never_beyond_its_end(
    lives: list[tuple[int, int]], moments: list[int]
) -> None:
    clock = Clockface.of(
        [LifeSpan(life_id=n, started_s=start, ended_s=start + length) for n, (start, length) in enumerate(lives)],
        last_s=2000,
    )
    told = [clock.at(moment) for moment in sorted(moments)]
    assert told == sorted(told)
    assert 0 <= told[0] <= told[-1] <= clock.total_s


# --- money ----------------------------------------------------------------------------------------------------------


def test_credits_of_every_attempt_count_and_those_of_another_run_do_not() -> None:
    events = [
        *happened(
            "a", PLANNED, intent(1), accepted(2, 30), failed(5, 7), intent(6, ordinal=1), accepted(7), succeeded(9, 28)
        ),
        *happened("b", PLANNED, intent(3, scope="other"), accepted(4), succeeded(8, 28)),
        *happened("c", PLANNED, intent(4, bound=5)),
    ]
    replay = replayed(events, run_id=RUN, lives=[LifeSpan(life_id=1, started_s=0)])

    assert [(point.settled, point.reserved) for point in replay.points] == [
        (0, 28), (0, 30), (7, 0), (7, 28), (35, 0), (35, 5)]  # fmt: skip
    assert {name: (course.settled, course.reserved) for name, course in replay.courses.items()} == {
        "a": (35, 0), "b": (0, 0), "c": (0, 5)}  # fmt: skip
    assert (replay.courses["a"].waited_s, replay.courses["a"].made_s) == (2, 2), "of the attempt that counts"


@pytest.mark.parametrize(
    ("budgets", "now", "caps"),
    [
        ([], 100, [(0, 100)]),
        ([], None, [(0, None)]),
        ([(3, 100, 50)], 50, [(0, 100), (3, 50)]),
        ([(3, None, 50), (5, 50, 70)], 70, [(0, None), (3, 50), (5, 70)]),
        ([(3, 100, 50)], 200, [(0, 100), (3, 50), (9, 200)]),  # the later life was given more
    ],
)
def test_the_cap_of_a_moment_is_the_one_that_held_then(
    budgets: list[tuple[float, int | None, int]], now: int | None, caps: list[tuple[float, int | None]]
) -> None:
    lives = [LifeSpan(life_id=1, started_s=0, ended_s=9), LifeSpan(life_id=2, started_s=100, ended_s=110)]
    notes = [NoteLine(at_s=at, name="tuned", text="", budget=(before, after)) for at, before, after in budgets]
    assert caps_over_time(notes, Clockface.of(lives, last_s=110), now=now) == caps


def test_money_by_model_adds_up_to_the_books_with_what_is_no_longer_wanted() -> None:
    events = happened("a", PLANNED, intent(1), accepted(2), succeeded(3, 28))
    told = happened("b", PLANNED, intent(1, bound=9), accepted(2), failed(4, 4))
    items = [item("a", events=events), item("b", events=told, model="flux-2-pro", job="k")]
    courses = replayed([*events, *told], run_id=RUN, lives=[LifeSpan(life_id=1, started_s=0)]).courses
    tables = money(items, courses, settled=40, reserved=3)

    for rows in tables.values():
        assert sum(row["settled"] for row in rows) == 40  # type: ignore[misc]
        assert sum(row["held"] for row in rows) == 3  # type: ignore[misc]
    assert [row["name"] for row in tables["models"]] == ["z-image", "flux-2-pro", None]
    assert tables["jobs"][1]["lost"] == 4


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=60), st.integers(4, 20))
def test_fewer_points_keep_the_first_the_last_and_the_highest(values: list[tuple[int, int]], most: int) -> None:
    points = [(float(at), settled, held) for at, (settled, held) in enumerate(values)]
    kept = thinned(points, most)

    assert len(kept) <= max(most + 1, 0)
    assert kept[:1] == points[:1]
    assert kept[-1:] == points[-1:]
    assert kept == sorted(set(kept))
    assert max((a + b for _, a, b in kept), default=0) == max((a + b for _, a, b in points), default=0)


def test_times_across_a_break_are_counted_and_told_apart() -> None:
    here = [happened(f"n{at}", PLANNED, intent(at), accepted(at + 1), succeeded(at + 1 + at, 1)) for at in (1, 2, 3, 4)]
    across = [*happened("x", PLANNED, intent(1), accepted(2)), *happened("x", succeeded(9000, 1), life=2)]
    items = [item("", events=events) for events in [*here, across]]
    lives = [LifeSpan(life_id=1, started_s=0, ended_s=9), LifeSpan(life_id=2, started_s=8000)]
    replay = replayed([event for events in [*here, across] for event in events], run_id=RUN, lives=lives)

    (told,) = times_by_model(items, replay.courses)
    assert told["across"] == 1
    spread = told["making"]
    assert isinstance(spread, dict)
    assert (spread["count"], spread["low"], spread["median"], spread["high"]) == (4, 1, 2.5, 4)
    assert sum(spread["bins"]) == 4


def test_how_soon_ends_were_noticed_is_a_mean_over_those_of_which_it_is_known() -> None:
    def seen(name: str, at_s: float, **data: object) -> list[Happening]:
        ended, _, told = succeeded(at_s, 1)
        return happened(name, PLANNED, intent(1), accepted(2), (ended, at_s, {**told, **data}))

    courses = [
        seen("a", 5, polls=3, unseen_s=1.0),
        seen("b", 6, polls=6, unseen_s=3),
        seen("c", 7, polls=0, unseen_s=None),
    ]
    items = [item("", events=events) for events in courses]
    lives = [LifeSpan(life_id=1, started_s=0)]
    replay = replayed([event for events in courses for event in events], run_id=RUN, lives=lives)

    (told,) = times_by_model(items, replay.courses)
    assert told["noticed"] == {"ends": 2, "polls": 4.5, "delay": 1.0}

    untold = [item("", events=courses[2])]
    assert times_by_model(untold, replay.courses)[0]["noticed"] is None


def test_a_refund_that_a_later_life_hears_of_is_no_break_in_a_tasks_time() -> None:
    events = [
        *happened("a", PLANNED, intent(1), accepted(2), failed(5, 7)),
        *happened("a", (EventType.REFUNDED, 9000.0, {"credits": 7}), life=2),
    ]
    lives = [LifeSpan(life_id=1, started_s=0, ended_s=9), LifeSpan(life_id=2, started_s=8000)]
    course = replayed(events, run_id=RUN, lives=lives).courses["a"]

    assert (course.is_timed, course.made_s, course.settled) == (True, 3, 0)


def test_failures_are_grouped_by_code_the_most_frequent_first() -> None:
    kinds = ["no_luck", "no_luck", "other"]
    items = [
        item(str(n), events=happened(str(n), PLANNED, intent(1), accepted(2), failed(3, code=code)))
        for n, code in enumerate(kinds)
    ]
    told = failures([item("fine"), *items])
    assert [(group["code"], group["count"], group["items"]) for group in told] == [
        ("no_luck", 2, [1, 2]),
        ("other", 1, [3]),
    ]


# --- the page -------------------------------------------------------------------------------------------------------

PARTS = Parts(
    markup='<meta content="%%POLICY%%"><title>%%TITLE%%</title>'
    "<style>%%STYLE%%</style>%%DATA%%<script>%%SCRIPT%%</script>",
    style="a { color: red }",
    script="const a = '%%';",
)


def model(**run: object) -> dict[str, object]:
    facts = ReportRun(
        run_id="<b>m</b>",
        name="m",
        edition="",
        state="died",
        exit_code=None,
        lives=(LifeSpan(life_id=1, started_s=0.0), LifeSpan(life_id=2, started_s=100.0)),
        counts={ItemState.SUBMITTING: 1},
        settled=0,
        reserved=28,
        uncertain=0,
        cap_credits=None,
        made_at_s=99999.0,
    )
    events = [*happened("a", PLANNED), *happened("a", intent(104), life=2)]
    return page_model(facts, [item("a", events=events)], events, catalogue=packaged_catalogue(), source=Source())


def test_a_life_that_died_ended_when_it_was_last_heard_of() -> None:
    run = model()["run"]
    assert isinstance(run, dict)
    assert (run["span"], run["ended"], run["breaks"]) == (4, 104, [(0, 100)])


def test_the_policy_names_our_script_and_style_by_hash_and_nothing_else() -> None:
    def digest(text: str) -> str:
        return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()

    told = policy(PARTS, live=False)
    assert f"script-src 'sha256-{digest(PARTS.script)}';" in told
    assert f"style-src 'sha256-{digest(PARTS.style)}';" in told
    assert "default-src 'none'" in told
    assert "connect-src 'none'" in told
    assert "connect-src 'self'" in policy(PARTS, live=True)
    assert "unsafe" not in told


def test_the_page_is_its_parts_with_the_title_and_the_data_made_harmless() -> None:
    page = document(PARTS, {**model(), "notes": ["</script><script>alert(1)</script>"]})
    assert "<title>&lt;b&gt;m&lt;/b&gt;</title>" in page
    assert page.count("<script>") == 1
    assert page.endswith("<script>const a = '%%';</script>")
    found = re.search(r"</style>(.*)<script>", page, re.DOTALL)
    assert found is not None
    assert json.loads(found[1])["notes"] == ["</script><script>alert(1)</script>"]
