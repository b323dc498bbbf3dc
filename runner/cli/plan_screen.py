"""The plan as people read it before they say yes, and as programs read it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from jobs.escape import for_terminal
from jobs.lifecycle import ItemState
from jobs.matrix import Steps
from jobs.plan import Plan, PlannedItem, Standing, Sum
from runner.cli.columns import columns
from runner.cli.figures import count, duration, size

__all__ = ["explained", "plan_lines", "plan_object", "plan_screen"]

ITEMS_EXPLAINED = 200  # more reasons than that are for `--json`


def plan_screen(plan: Plan, *, balance: int | None = None, pace: str = "", notes: Sequence[str] = ()) -> str:
    """The plan as text. `pace` says how fast it would go (`20/min, 8 in flight`); `balance` is told when known."""
    facts = "".join(f"  {name:<8} {text}\n" for name, text in _facts(plan, balance, pace, notes))
    return f"{_headline(plan)}\n\n{_table(plan)}\n{facts}"


def plan_lines(plan: Plan, *, pace: str = "", notes: Sequence[str] = ()) -> str:
    """The plan for a log: one line, and one for each note."""
    facts = list(_facts(plan, None, pace, notes))
    said = [f"{name} {text}" for name, text in facts if name in ("spend", "time")]
    rest = [f"  note: {text}" for name, text in facts if name == "note"]
    return "\n".join(["; ".join([_headline(plan), *said]), *rest])


def plan_object(plan: Plan, *, explain: bool = False) -> dict[str, object]:
    """The plan as `--json` writes it; counts, not lists, unless they are asked for."""
    told: dict[str, object] = {
        "run": plan.run_id,
        "items": len(plan.items),
        "new": plan.count(Standing.NEW),
        "done": plan.count(Standing.DONE),
        "open": plan.count(Standing.OPEN),
        "credits": {"low": plan.low, "likely": plan.likely, "high": plan.high},
        "seconds": round(plan.seconds, 1),
        "cap": plan.cap_credits,
        "held": plan.books.reserved,
        "spent": plan.books.settled,
        "uploads": len(plan.uploads),
        "missing": plan.missing,
    }
    if explain:
        told["reasons"] = [
            {"item": one.item.key, "identity": one.item.identity, "standing": one.standing, "reason": one.reason}
            for one in plan.items
        ]
    return told


def explained(plan: Plan, steps: Mapping[str, Steps]) -> str:
    """How each job's items came about, step by step, and for each item what would happen and why."""
    counts = "".join(f"  {for_terminal(job)}: {_steps(each)}\n" for job, each in steps.items())
    shown = plan.items[:ITEMS_EXPLAINED]
    rows = [(one.standing.value, for_terminal(one.item.key), _why(one)) for one in shown]
    rest = len(plan.items) - len(shown)
    more = f"  and {rest:,} more: see them with --json --explain\n" if rest else ""
    return (counts + "\n" if counts else "") + columns(("", "item", "why"), rows, indent=2) + more


def _steps(counts: Steps) -> str:
    """Such as `2 rows x 6 grid = 12, 10 after exclude, 20 with repeat`; a step that changes nothing is left out."""
    factors = [("rows", counts.rows), ("prompts", counts.prompts), ("grid", counts.grid), ("zip", counts.zip)]
    text = " x ".join(f"{number:,} {name}" for name, number in factors if number != 1)
    text = f"{text} = {counts.product:,}" if text else f"{counts.product:,}"
    before = counts.product
    later = [
        ("after exclude", counts.after_exclude),
        ("after sample", counts.after_sample),
        ("with include", counts.after_include),
    ]
    for word, number in [*later, ("with repeat", counts.items)]:
        text += f", {number:,} {word}" if number != before else ""
        before = number
    return text


def _why(one: PlannedItem) -> str:
    if one.estimate is None:
        return for_terminal(one.reason)
    cost = Sum()
    cost.add(one.standing, one.estimate)
    return for_terminal(f"{one.reason} ({_each(cost)} credits)")


def _headline(plan: Plan) -> str:
    jobs = len({job for job, _ in plan.totals.groups})
    text = f"{for_terminal(plan.run_id)}: {count(len(plan.items), 'item')} in {count(jobs, 'job')}"
    parts = [(plan.count(Standing.DONE), "already done"), (plan.count(Standing.OPEN), "under way")]
    return ", ".join([text, *(f"{number:,} {word}" for number, word in parts if number)])


def _table(plan: Plan) -> str:
    """One row for each job and model, in the order of the manifest."""
    rows = [_row(job, model, group) for (job, model), group in plan.totals.groups.items()]
    header = ("job", "model", "new", "done", "open", "each", "credits")
    return columns(header, rows, right=header[2:], indent=2)


def _row(job: str, model: str, group: Sum) -> Sequence[str]:
    price = f"{group.likely:,}{'+' if group.or_more else ''}" if group.each is not None else "-"
    numbers = (f"{group.standings[each]:,}" for each in (Standing.NEW, Standing.DONE, Standing.OPEN))
    return for_terminal(job), for_terminal(model), *numbers, _each(group), price


def _each(group: Sum) -> str:
    """What one item costs: a number, or from the cheapest to the dearest, `+` where it is a guess."""
    if group.each is None:
        return "-"
    (low, high), more = group.each, "+" if group.or_more else ""
    return f"{low:,}{more}" if low == high else f"{low:,}-{high:,}{more}"


def _facts(plan: Plan, balance: int | None, pace: str, notes: Sequence[str]) -> Iterator[tuple[str, str]]:
    new = plan.count(Standing.NEW)
    if plan.uploads:
        known = f" ({plan.uploads_known} are there already)" if plan.uploads_known else ""
        total = size(sum(reference.bytes for reference in plan.uploads))
        yield "upload", f"{count(len(plan.uploads), 'reference')}, {total}{known}"
    yield "spend", "; ".join(_spend(plan, balance)) if new else "nothing"
    if plan.books.settled or plan.books.reserved:
        yield "so far", f"{plan.books.settled:,} spent, {plan.books.reserved:,} held"
    if new:
        yield "time", f"about {duration(plan.seconds)}" + (f" at {pace}" if pace else "")
    if plan.high > plan.likely:
        yield "note", "base prices: params may cost more; the cap holds in any case"
    if new and plan.cap_credits is not None:
        left = plan.books.left_of(plan.cap_credits)
        if left < plan.low:
            yield "note", f"not all of it can be bought: {left:,} credits of the cap are left"
    yield from (("note", note) for note in _needing_a_person(plan))
    if plan.missing:
        yield (
            "note",
            f"{count(plan.missing, 'item')} of earlier runs no longer in the manifest; what was bought is kept",
        )
    for note in notes:
        yield "note", for_terminal(note)


def _needing_a_person(plan: Plan) -> Iterator[str]:
    """What counts as done or under way, and still will not end well by itself."""
    states = plan.totals.states
    failed = states[ItemState.FAILED] + states[ItemState.REJECTED]
    if failed:
        yield f"{count(failed, 'item')} failed and will not be bought again by this; see `rivya-batch retry`"
    if states[ItemState.UNCERTAIN]:
        doubtful = count(states[ItemState.UNCERTAIN], "item")
        yield f"{doubtful} of unknown outcome, held as spent; see `rivya-batch results` and `show`"


def _spend(plan: Plan, balance: int | None) -> Iterator[str]:
    likely = f"{plan.likely:,} credits" if plan.low == plan.likely else f"{plan.low:,} to {plan.likely:,} credits"
    yield likely + (f" or more, {plan.high:,} at worst by our guess" if plan.or_more else "")
    yield f"cap {plan.cap_credits:,}" if plan.cap_credits is not None else "no cap"
    if balance is not None:
        yield f"balance {balance:,}"
