"""What is measured: five batches, each with a service whose limits are exact and whose tasks take their time.

Latencies are lognormal, because fixed ones flatter fixed polls. A workload is plain data: the driver writes it as JSON
to the server, and tells the clients only what a user would know of it (`Told`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

__all__ = ["WORKLOADS", "Kind", "Told", "Workload", "sized"]

# Client and server agree on these; which model it is decides nothing but the price class.
FAST = "z-image"
SLOW = "google-imagen4"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One model's latencies: lognormal."""

    model: str
    median_s: float
    sigma: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """One batch. Rates are requests per sliding second; None is no limit. Items take turns through `kinds`."""

    name: str
    says: str
    items: int
    kinds: tuple[Kind, ...]
    in_flight: int  # what every client is told, or would choose by itself
    interval_s: float  # between two polls of one task, for whoever polls at fixed intervals
    creates: int | None = None
    polls: int | None = None
    shared: int | None = None  # over all calls; nobody is told
    running: int | None = None  # tasks at once; one more is refused
    quick_items: int = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a client knows: how a user would fill in the settings of a script."""

    url: str
    items: int
    models: tuple[str, ...]
    in_flight: int
    interval_s: float
    creates: int | None
    polls: int | None
    out: str  # a file for the results

    @classmethod
    def of(cls, workload: Workload, *, url: str, out: str) -> Told:
        return cls(
            url=url,
            items=workload.items,
            models=tuple(kind.model for kind in workload.kinds),
            in_flight=workload.in_flight,
            interval_s=workload.interval_s,
            creates=workload.creates,
            polls=workload.polls,
            out=out,
        )

    def model(self, number: int) -> str:
        return self.models[number % len(self.models)]


_W1 = Workload(
    name="W1",
    says="2,000 items at 50 creates/s and 200 polls/s, median 2 s, sigma 0.5",
    items=2000,
    kinds=(Kind(model=FAST, median_s=2.0, sigma=0.5),),
    in_flight=1000,
    interval_s=1.0,
    creates=50,
    polls=200,
    quick_items=200,
)
_W3A = Workload(
    name="W3a",
    says="300 items, 8 running at once and told so, median 1 s, sigma 0.25",
    items=300,
    kinds=(Kind(model=FAST, median_s=1.0, sigma=0.25),),
    in_flight=8,
    interval_s=0.5,
    running=8,
)
_ALL = (
    _W1,
    Workload(
        name="W2",
        says="10,000 items without limits, median 0.5 s, sigma 0.25, 3,000 in flight",
        items=10_000,
        kinds=(Kind(model=FAST, median_s=0.5, sigma=0.25),),
        in_flight=3000,
        interval_s=0.25,
        quick_items=1000,
    ),
    _W3A,
    replace(_W3A, name="W3b", says="as W3a, but nobody is told of the 8", in_flight=32),
    replace(_W1, name="W4", says="as W1, but one window of 60 requests/s for all calls, and nobody is told", shared=60),
    Workload(
        name="W5",
        says="2,000 items at 10 creates/s and 20 polls/s; two models, medians 2 s and 10 s, sigma 0.25",
        items=2000,
        kinds=(Kind(model=FAST, median_s=2.0, sigma=0.25), Kind(model=SLOW, median_s=10.0, sigma=0.25)),
        in_flight=1000,
        # 62 tasks at once share 20 polls/s: at this interval a fixed poller uses just what there is.
        interval_s=3.1,
        creates=10,
        polls=20,
        quick_items=100,
    ),
)

WORKLOADS: Mapping[str, Workload] = {workload.name: workload for workload in _ALL}


def sized(workload: Workload, *, items: int | None = None, quick: bool = False) -> Workload:
    """The same with fewer items, or more."""
    if items is None:
        items = workload.quick_items if quick else workload.items
    return replace(workload, items=items)
