"""Plans as the screens of the command get them."""

from __future__ import annotations

from jobs.item import Item, ReferenceFile
from jobs.plan import Plan, PlannedItem, Standing
from jobs.pricing import Estimate
from jobs.record import Money

__all__ = [
    "item",
    "plan",
    "planned",
]


def item(n: int, *, job: str = "reveal", model: str = "seedance-1-5-pro", key: str | None = None) -> Item:
    """Item number `n` of a job."""
    return Item(
        identity=f"id{n}",
        model=model,
        prompt="p",
        params={},
        references=(),
        repeat=1,
        edition="",
        index=n,
        key=key or f"{job}/{n}",
        job=job,
        output_stem=f"{job}/{n}",
        credits=28,
        price_class=model,
    )


def planned(
    n: int, standing: Standing = Standing.NEW, *, price: int = 28, known: bool = True, **named: str
) -> PlannedItem:
    """It in a plan, at this price or at a guess from it."""
    guess = Estimate(low=price, likely=price, high=price if known else price * 6, known=known)
    return PlannedItem(
        item=item(n, **named),
        standing=standing,
        reason="first run" if standing is Standing.NEW else "succeeded",
        record=None,
        estimate=guess if standing is Standing.NEW else None,
    )


def plan(*items: PlannedItem, cap: int | None = 700, missing: int = 0, books: Money = Money()) -> Plan:  # noqa: B008
    picture = ReferenceFile(
        name="shoe", path="shoe.png", location="/shoe.png", sha256="ab", bytes=1_400_000, mime="image/png", kind="image"
    )
    return Plan(
        run_id="sneaker-reveal",
        items=items,
        uploads=(picture,),
        uploads_known=1,
        books=books,
        cap_credits=cap,
        seconds=523.0,
        missing=missing,
        position=0,
    )
