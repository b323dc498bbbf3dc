"""From what was counted to what is said of it: figures of one run, medians over rounds, targets met or missed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median

from tests.bench.accounting import Books
from tests.bench.clients import Ran
from tests.bench.optimum import least_delay_s
from tests.bench.workloads import Workload

__all__ = ["TARGETS", "Figures", "Round", "Spread", "Verdict", "figures", "spread", "verdicts"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """One run of one client. Everything about requests is the service's own count."""

    items: int
    done: bool  # exit code 0 and every end seen
    makespan_s: float
    bound_s: float
    over_bound: float
    creates_per_s: float  # while there was something to create
    wall_s: float  # of the process, from its start
    wall_over_bound: float
    refusals_per_item: float
    refusals_of_requests: float
    requests_per_item: float
    polls_per_item: float
    requests_per_s: float
    delay_s: float
    delay_p99_s: float
    delay_over_optimum: float
    cpu_ms_per_item: float
    ledger_of_cpu: float | None
    rss_mib: float
    others_s: float | None
    made_twice: int


# One round: every client once, on the same latencies.
Round = Mapping[str, Figures]


def figures(workload: Workload, ran: Ran, books: Books) -> Figures:
    """What one run came to."""
    items, finished = workload.items, ran.finished
    requests = max(1, books.creates + books.polls)
    refusals = books.refused_creates + books.refused_polls
    is_done = finished.exit_code == 0 and books.tasks == items and not books.unseen
    optimum_s = least_delay_s(workload.kinds, books.polls / books.tasks) if is_done else 0.0
    ledger_s, process_s = ran.told.get("ledger"), ran.told.get("process")
    return Figures(
        items=items,
        done=is_done,
        makespan_s=books.makespan_s,
        bound_s=books.bound_s,
        over_bound=_over(books.makespan_s, books.bound_s),
        creates_per_s=_over(books.tasks, books.creating_s),
        wall_s=finished.wall_s,
        wall_over_bound=_over(finished.wall_s, books.bound_s),
        refusals_per_item=refusals / items,
        refusals_of_requests=refusals / requests,
        requests_per_item=requests / items,
        polls_per_item=books.polls / items,
        requests_per_s=_over(requests, books.span_s),
        delay_s=books.delay_mean_s,
        delay_p99_s=books.delay_p99_s,
        delay_over_optimum=_over(books.delay_mean_s, optimum_s),
        cpu_ms_per_item=1000.0 * finished.cpu_s / items,
        ledger_of_cpu=ledger_s / process_s if ledger_s is not None and process_s else None,
        rss_mib=finished.rss_mib,
        others_s=finished.others_s,
        made_twice=books.twice,
    )


def _over(value: float, base: float) -> float:
    return value / base if base > 0 else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """A median with the least and the most."""

    median: float
    least: float
    most: float
    rounds: int


def spread(values: Iterable[float]) -> Spread | None:
    known = sorted(values)
    return Spread(median=median(known), least=known[0], most=known[-1], rounds=len(known)) if known else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """`value` of one round, or None when it lacks who is compared. Lower is better unless `more`."""

    workload: str
    says: str
    value: Callable[[Round], float | None]
    goal: float
    moonshot: float
    more: bool = False


def _of(client: str, name: str) -> Callable[[Round], float | None]:
    def value(run: Round) -> float | None:
        found = run.get(client)
        return None if found is None or not found.done else asdict(found)[name]

    return value


def _ratio(client: str, other: str, name: str) -> Callable[[Round], float | None]:
    def value(run: Round) -> float | None:
        one, base = run.get(client), run.get(other)
        if one is None or base is None or not one.done:
            return None
        return _over(asdict(one)[name], asdict(base)[name])

    return value


TARGETS: Sequence[Target] = (
    Target(workload="W1", says="makespan / bound", value=_of("ours", "over_bound"), goal=1.02, moonshot=1.005),
    Target(workload="W1", says="refusals an item", value=_of("ours", "refusals_per_item"), goal=0.0, moonshot=0.0),
    Target(
        workload="W2",
        says="CPU an item / careful script",
        value=_ratio("ours", "careful", "cpu_ms_per_item"),
        goal=0.75,
        moonshot=0.5,
    ),
    Target(workload="W2", says="requests an item", value=_of("ours", "requests_per_item"), goal=2.4, moonshot=2.2),
    Target(
        workload="W2",
        says="requests/s / bare aiohttp",
        value=_ratio("ours", "bare", "requests_per_s"),
        goal=0.45,
        moonshot=0.65,
        more=True,
    ),
    Target(
        workload="W2",
        says="ledger's thread of the CPU",
        value=_of("ours-watched", "ledger_of_cpu"),
        goal=0.10,
        moonshot=0.05,
    ),
    Target(workload="W3a", says="makespan / bound", value=_of("ours", "over_bound"), goal=1.04, moonshot=1.02),
    Target(workload="W3a", says="polls an item", value=_of("ours", "polls_per_item"), goal=12.0, moonshot=12.0),
    Target(
        workload="W3a",
        says="thrifty: makespan / bound",
        value=_of("ours-thrifty", "over_bound"),
        goal=1.12,
        moonshot=1.10,
    ),
    Target(
        workload="W3a",
        says="thrifty: requests / careful script",
        value=_ratio("ours-thrifty", "careful", "requests_per_item"),
        goal=1.0,
        moonshot=1.0,
    ),
    Target(workload="W3b", says="makespan / bound", value=_of("ours", "over_bound"), goal=1.04, moonshot=1.02),
    Target(workload="W3b", says="refusals an item", value=_of("ours", "refusals_per_item"), goal=0.06, moonshot=0.03),
    Target(workload="W4", says="makespan / bound", value=_of("ours", "over_bound"), goal=1.10, moonshot=1.10),
    Target(workload="W4", says="refused requests", value=_of("ours", "refusals_of_requests"), goal=0.02, moonshot=0.02),
    Target(workload="W5", says="delay / optimum", value=_of("ours", "delay_over_optimum"), goal=1.4, moonshot=1.1),
    Target(
        workload="W5",
        says="delay / fixed poller of that budget",
        value=_ratio("ours", "careful", "delay_s"),
        goal=1.0,
        moonshot=1.0,
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A target and what the rounds came to; without a spread the batch was not done, or nobody was compared."""

    workload: str
    says: str
    goal: float
    moonshot: float
    more: bool
    value: Spread | None
    word: str


def verdicts(workload: str, rounds: Sequence[Round]) -> list[Verdict]:
    """Every target of one workload, by the median of its rounds; a round that was not finished misses them all."""
    found = []
    for target in TARGETS:
        if target.workload != workload:
            continue
        values = [target.value(run) for run in rounds]
        value = spread(one for one in values if one is not None)
        found.append(
            Verdict(
                workload=workload,
                says=target.says,
                goal=target.goal,
                moonshot=target.moonshot,
                more=target.more,
                value=value,
                word=_word(target, value),
            )
        )
    return found


def _word(target: Target, value: Spread | None) -> str:
    if value is None:
        return "not measured"
    sign = -1.0 if target.more else 1.0
    if target.moonshot != target.goal and sign * value.median <= sign * target.moonshot:
        return "MOONSHOT"
    return "met" if sign * value.median <= sign * target.goal else "MISSED"
