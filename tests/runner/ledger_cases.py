"""Items, events and changes for tests of the ledger: legal ones, made as the core makes them."""

from __future__ import annotations

from dataclasses import dataclass, replace

from jobs.answers import Uploaded
from jobs.budget import delta
from jobs.identity import idempotency_key, identity
from jobs.item import Item, ReferenceFile
from jobs.lifecycle import EventType
from jobs.record import Change, Event, Record, fold
from runner.ledger import KnownUpload, Ledger, RunInfo

ACCOUNT, BASE_URL = "default", "https://rivya.example"
URL = "https://cdn.example/1.mp4"


def run_info(run_id: str = "night", **changes: object) -> RunInfo:
    run = RunInfo(
        run_id=run_id,
        name=run_id.partition("@")[0],
        edition=run_id.partition("@")[2],
        manifest_path="/manifests/night.yaml",
        manifest_sha256="0" * 64,
        cap_credits=700,
        out_dir="/out/night",
        layout={"reveal": {"x": "params.duration", "pages": []}},
    )
    return replace(run, **changes)  # type: ignore[arg-type]


def item(number: int, *, prompt: str | None = None, key: str | None = None, edition: str = "") -> Item:
    prompt = prompt or f"shoe number {number}"
    shoe = ReferenceFile(
        name="shoe",
        path="shoe.png",
        location="/shoe.png",
        sha256=f"{number:064x}",
        bytes=9,
        mime="image/png",
        kind="image",
    )
    return Item(
        identity=identity(
            model="seedance",
            prompt=prompt,
            params={"duration": "8"},
            reference_digests=[shoe.sha256],
            repeat=1,
            edition=edition,
        ),
        model="seedance",
        prompt=prompt,
        params={"duration": "8"},
        references=(shoe,),
        repeat=1,
        edition=edition,
        index=number,
        key=key or f"reveal/n={number}",
        job="reveal",
        axes={"vars.n": number},
        tags=("hero",),
        output_stem=f"reveal/{number}",
        credits=10,
        price_class="seedance?duration=8",
    )


def upload(digest: str) -> KnownUpload:
    uploaded = Uploaded(
        file_id="f1",
        url="https://files.example/f1",
        kind="image",
        name="shoe.png",
        mime_type="image/png",
        duration_token="secret",
        duration_s=1.5,
        expires_at="2030-01-01T00:00:00Z",
    )
    return KnownUpload(sha256=digest, uploaded=uploaded, at_s=5.0)


@dataclass
class Teller:
    """Moves items of one run, remembering where each stands, as the core does."""

    scope: str = "night"
    cap: int | None = None
    account: str = ACCOUNT
    now_s: float = 1000.0

    def __post_init__(self) -> None:
        self.records: dict[str, Record] = {}
        self.opened: dict[tuple[str, int], int] = {}

    def plan(self, *items: Item) -> None:
        for one in items:
            event = Event(type=EventType.PLANNED, at_s=self.now_s, identity=one.identity)
            self.records.setdefault(one.identity, fold(None, event))

    def tell(self, identity: str, kind: EventType, **data: object) -> Change:
        """The change that this event makes, and take it as done."""
        self.now_s += 1.0
        before = self.records[identity]
        event = Event(type=kind, at_s=self.now_s, identity=identity, data=data)
        after = fold(before, event)
        self.records[identity] = after
        intent = kind is EventType.INTENT
        return Change(
            event=event,
            record=after,
            delta=delta(before, event, after),
            scope=after.attempt.scope if after.attempt else self.scope,
            body=b'{"model":"seedance"}' + str(data["key"]).encode() if intent else None,
            cap_credits=self.cap if intent else None,
        )

    def intent(self, one: Item, *, bound: int = 10, epoch: int = 0, ordinal: int | None = None) -> Change:
        nth = self.opened.get((one.identity, epoch), 0) + 1 if ordinal is None else ordinal
        self.opened[one.identity, epoch] = nth
        key = idempotency_key(
            account=self.account,
            edition=one.edition,
            identity=one.identity,
            repeat=one.repeat,
            epoch=epoch,
            ordinal=nth,
        )
        return self.tell(
            one.identity,
            EventType.INTENT,
            epoch=epoch,
            ordinal=nth,
            key=key,
            bound=bound,
            price_class=one.price_class,
            scope=self.scope,
            server_at_s=self.now_s - 0.25,
        )

    def accepted(self, one: Item, *, task_id: str | None = None, figure: int | None = None) -> Change:
        task = task_id or f"task-{one.index}-{self.now_s:.0f}"
        return self.tell(
            one.identity, EventType.ACCEPTED, task_id=task, reserved_credits=figure, request_id="req-a", by="service"
        )

    def succeeded(self, one: Item, *, charge: int = 10, urls: tuple[str, ...] = (URL,), **seen: object) -> Change:
        data = {"final_credits": charge, "charge": charge, "urls": list(urls), "assumed": False, **seen}
        return self.tell(one.identity, EventType.SUCCEEDED, **data)

    def saved(self, one: Item, n: int = 1, **data: object) -> Change:
        url = self.records[one.identity].artifacts[n - 1].url
        return self.tell(one.identity, EventType.SAVED, n=n, url=url, **data)


async def begin(ledger: Ledger, *items: Item, run: RunInfo | None = None, cap: int | None = None) -> Teller:
    """A life that wants these items, and a teller who knows them."""
    run = run or run_info()
    await ledger.begin_life(run, items, at_s=1000.0, pid=4711, host="studio")
    teller = Teller(scope=run.run_id, cap=cap)
    teller.records = ledger.records([one.identity for one in items])
    return teller
