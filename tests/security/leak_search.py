"""Looking for a key in everything that was ever written, in every spelling that somebody could read it back from."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping

__all__ = ["found_in", "spellings"]


def spellings(key: str, fragment: str) -> dict[str, bytes]:
    """What to look for. The fragment is the part that escapes of any kind leave as it is."""
    plain = key.encode()
    found = {
        "plain": fragment.encode(),
        "other case": fragment.lower().encode(),
        "utf-16": fragment.encode("utf-16-le"),
        "hexadecimal": fragment.encode().hex().encode(),
        "reversed": fragment[::-1].encode(),
        "character codes": ", ".join(str(byte) for byte in fragment.encode()).encode(),
    }
    for before in range(3):
        whole = base64.b64encode(b"\0" * before + plain)
        inner = whole[-(-before * 8 // 6) : (before + len(plain)) * 8 // 6]
        found[f"base64, {before} before"] = inner
        found[f"base64 of addresses, {before} before"] = inner.replace(b"+", b"-").replace(b"/", b"_")
    return found


def found_in(places: Mapping[str, bytes], sought: Mapping[str, bytes] | Iterable[bytes]) -> list[str]:
    """`spelling in place` for everything that was found."""
    named = sought if isinstance(sought, Mapping) else {one.decode(): one for one in sought}
    return [f"{name} in {place}" for place, content in places.items() for name, one in named.items() if one in content]
