"""Saving one result: where it goes, what stands beside it, and what becomes of it when its address died."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from jobs.answers import Phase, SendEnd, TaskSeen
from jobs.budget import Books
from jobs.core import Core
from jobs.item import Item
from jobs.lifecycle import EventType
from jobs.pacing import Pacer
from jobs.rates import Rate
from jobs.record import Event, Record, fold
from jobs.runstate import CoreSettings
from jobs.steps import Download
from runner.blobs_memory import MemoryBlobs
from runner.clock import Clock
from runner.errors import AddressRefused, DiskFull, FetchError, LinkDead, OutputUnusable
from runner.exchange import Fetched, Resume, Sink
from runner.saving import FRESH_LINKS_MAX, LOOKS_MAX, ResultSaver
from runner.testing import run_virtual
from tests.runner.media_samples import SAMPLES
from tests.runner.world_items import item

CLIP = SAMPLES["mp4"][1]
FIRST = "https://results.test/first?sig=1"


class Host:
    """Answers each address as it was told; whatever it was not told is dead."""

    def __init__(self, **answers: bytes | Exception) -> None:
        self.answers = answers
        self.asked: list[str] = []

    async def fetch(self, url: str, *, sink: Sink, resume: Resume | None = None) -> Fetched:
        self.asked.append(url)
        answer = self.answers.get(url.rpartition("/")[2].partition("?")[0], LinkDead("HTTP 410", status=410))
        if isinstance(answer, Exception):
            raise answer
        await sink.begin(start=0, total_bytes=len(answer), etag=None)
        await sink.write(answer)
        return Fetched(received_bytes=len(answer), total_bytes=len(answer))


class Desk:
    """A saver with everything around it."""

    def __init__(self, host: Host, *looks: SendEnd, blobs: MemoryBlobs | None = None, sidecars: bool = True) -> None:
        self.host = host
        self.blobs = blobs or MemoryBlobs()
        self.looks = list(looks)
        self.looked: list[str] = []
        self.item = item(7, "seedance-1-5-pro")
        self.sidecars = sidecars

    async def look(self, task_id: str) -> SendEnd:
        self.looked.append(task_id)
        return self.looks.pop(0)

    def save(self, n: int = 1) -> Mapping[str, object]:
        """Under virtual time: what is tried again waits in between."""
        return run_virtual(self._save(n))

    async def _save(self, n: int) -> Mapping[str, object]:
        core = finished_core(self.item)
        saver = ResultSaver(
            core, fetcher=self.host, blobs=self.blobs, clock=Clock(), run_id="trial@may", sidecars=self.sidecars
        )
        wanted = Download(identity=self.item.identity, n=n, url=FIRST, task_id="task_1")
        return await saver(self.item, wanted, self.look)


def finished_core(wanted: Item) -> Core:
    """A core that holds one item, made and paid."""
    record: Record | None = None
    for event_type, data in (
        (EventType.PLANNED, {}),
        (
            EventType.INTENT,
            {
                "epoch": 0,
                "ordinal": 0,
                "key": "k1",
                "bound": 28,
                "price_class": "c",
                "scope": "trial@may",
                "server_at_s": 0.0,
            },
        ),
        (EventType.ACCEPTED, {"task_id": "task_1", "reserved_credits": 28}),
        (EventType.SUCCEEDED, {"final_credits": 25, "charge": 25, "urls": [FIRST]}),
    ):
        event = Event(type=event_type, at_s=1_700_000_000.5, identity=wanted.identity, data=data)
        record = fold(record, event)
    assert record is not None
    core = Core(
        CoreSettings(account="default", scope="trial@may", in_flight_max=1),
        books=Books(cap=None),
        prices={},
        creates=Pacer("creates", Rate(count=1, window_s=1.0)),
        polls=Pacer("polls", Rate(count=1, window_s=1.0)),
    )
    core.state.items[wanted.identity] = wanted
    core.state.records[wanted.identity] = record
    return core


def seen(*urls: str, status: str = "succeeded") -> SendEnd:
    return SendEnd(phase=Phase.ANSWERED, status=200, task=TaskSeen(id="task_1", status=status, urls=urls))


def refused(status: int) -> SendEnd:
    return SendEnd(phase=Phase.ANSWERED, status=status, reason=f"HTTP {status}")


def test_a_result_is_kept_under_its_item_s_name_with_what_was_found() -> None:
    desk = Desk(Host(first=CLIP))

    saved = desk.save()

    assert (saved["state"], saved["file"], saved["bytes"], saved["type"]) == (
        "verified",
        "job/7.mp4",
        len(CLIP),
        "video/mp4",
    )
    assert saved["url"] == FIRST
    assert desk.blobs.files["job/7.mp4"] == CLIP
    assert desk.looked == []


def test_the_sidecar_says_what_made_the_file_and_what_it_cost_and_holds_no_address() -> None:
    desk = Desk(Host(first=CLIP))

    desk.save()

    text = desk.blobs.files["job/7.mp4.json"].decode()
    told = json.loads(text)
    assert (told["run"], told["item"], told["identity"]) == ("trial@may", "job/7", desk.item.identity)
    assert (told["model"], told["prompt"], told["credits"]) == ("seedance-1-5-pro", "picture 7", 25)
    assert (told["task_id"], told["file"], told["state"]) == ("task_1", "job/7.mp4", "verified")
    assert told["finished_at"] == "2023-11-14T22:13:20.500Z"
    assert "results.test" not in text


def test_further_results_get_their_number_and_nobody_who_wants_none_gets_a_sidecar() -> None:
    desk = Desk(Host(first=CLIP), sidecars=False)

    desk.save(n=3)

    assert list(desk.blobs.files) == ["job/7~3.mp4"]


def test_a_dead_address_is_replaced_by_today_s_of_the_same_result() -> None:
    desk = Desk(Host(second=CLIP), seen("https://results.test/other", "https://results.test/second?sig=2"))

    saved = desk.save(n=2)

    assert (saved["state"], saved["url"]) == ("verified", "https://results.test/second?sig=2")
    assert desk.looked == ["task_1"]


def test_addresses_that_die_one_after_another_end_after_a_few() -> None:
    desk = Desk(Host(), *[seen(f"https://results.test/{n}") for n in range(9)])

    saved = desk.save()

    assert saved["state"] == "gone"
    assert (len(desk.looked), len(desk.host.asked)) == (FRESH_LINKS_MAX, FRESH_LINKS_MAX + 1)
    assert desk.blobs.files == {}


@pytest.mark.parametrize("look", [refused(404), seen(), seen("https://results.test/only-one")], ids=str)
def test_a_result_the_service_no_longer_has_is_gone(look: SendEnd) -> None:
    saved = Desk(Host(), look).save(n=2)

    assert saved["state"] == "gone"
    assert "file" not in saved


@pytest.mark.parametrize(
    "look",
    [
        refused(429),
        refused(503),
        refused(401),
        SendEnd(phase=Phase.SENT, reason="timeout"),
        SendEnd(phase=Phase.NOT_SENT, reason="no route"),
        seen(status="processing"),
    ],
    ids=str,
)
def test_when_the_service_cannot_tell_for_now_another_life_tries_again(look: SendEnd) -> None:
    desk = Desk(Host(), *[look] * 9)

    with pytest.raises(FetchError, match="no fresh address"):
        desk.save()
    assert len(desk.looked) == LOOKS_MAX


def test_a_moment_s_trouble_costs_no_result() -> None:
    desk = Desk(Host(second=CLIP), refused(503), seen(status="processing"), seen("https://results.test/second"))

    saved = desk.save()

    assert saved["state"] == "verified"


def test_a_host_that_fails_for_now_is_left_to_another_life() -> None:
    with pytest.raises(FetchError, match="HTTP 503"):
        Desk(Host(first=FetchError("HTTP 503", status=503, temporary=True))).save()


def test_an_address_that_may_not_be_asked_is_never_asked_for_again() -> None:
    saved = Desk(Host(first=AddressRefused("the address leads into this network"))).save()

    assert saved == {"state": "gone", "reason": "the address leads into this network"}


def test_what_is_no_media_is_quarantined_with_its_reason() -> None:
    saved = Desk(Host(first=b"<html>sign in</html>")).save()

    assert (saved["state"], saved["file"]) == ("quarantined", "job/7.quarantine")
    assert "no known media" in str(saved["reason"])


@pytest.mark.parametrize("trouble", [DiskFull("no room"), OutputUnusable("a file is in the way")])
def test_a_disk_that_takes_nothing_is_the_engine_s_affair(trouble: Exception) -> None:
    class Refusing(MemoryBlobs):
        async def create(self, stem: str) -> Any:
            raise trouble

    with pytest.raises(type(trouble)):
        Desk(Host(first=CLIP), blobs=Refusing()).save()
