"""Items that a run of a world wants, and the pictures that they refer to."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Mapping, Sequence

from jobs.identity import identity
from jobs.item import Item, ReferenceFile
from tests.runner.media_samples import SAMPLES

__all__ = ["PRICES", "content_of", "item", "items", "picture"]

PRICES = {"z-image": 1, "grok-imagine": 4, "nano-banana": 3, "seedance-1-5-pro": 28, "seedance-2": 175}


def picture(name: str) -> ReferenceFile:
    """A reference whose content is a small picture, another one for each name."""
    content = content_of(name)
    digest = hashlib.sha256(content).hexdigest()
    return ReferenceFile(
        name=name, path=name, location=name, sha256=digest, bytes=len(content), mime="image/png", kind="image"
    )


def content_of(name: str) -> bytes:
    """The bytes of `picture(name)`: a real one, with its name behind the end."""
    return SAMPLES["png"][1] + zlib.compress(name.encode())


def item(
    number: int,
    model: str = "z-image",
    *,
    prompt: str | None = None,
    references: Sequence[ReferenceFile] = (),
    params: Mapping[str, object] | None = None,
    price: int | None = None,
) -> Item:
    """Item `number` of a run."""
    prompt = prompt or f"picture {number}"
    name = identity(
        model=model,
        prompt=prompt,
        params=params or {},
        reference_digests=[reference.sha256 for reference in references],
        repeat=1,
        edition="",
    )
    return Item(
        identity=name,
        model=model,
        prompt=prompt,
        params=params or {},
        references=tuple(references),
        repeat=1,
        edition="",
        index=number,
        key=f"job/{number}",
        job="job",
        output_stem=f"job/{number}",
        credits=PRICES[model] if price is None else price,
        price_class=model + ("?references" if references else ""),
    )


def items(count: int, model: str = "z-image") -> list[Item]:
    """Many of one kind."""
    return [item(number, model) for number in range(count)]
