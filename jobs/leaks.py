"""Keys that do not belong in a manifest: how they are found, and how they are kept out of what we print.

A manifest is shared, committed and shown; a key in it is a key lost. Masking keeps the length, so that columns still
point where they pointed.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["is_secret_name", "is_secret_text", "masked"]

# What issuers made recognisable. A prompt may well say "bearer of the ring", so that word needs a token behind it. Each
# way begins with a plain letter and looks back after it: the search then skips from letter to letter, five times as
# fast. A token like `eyJ...` begins where no other can have begun, or a text full of beginnings would take for ever.
_SECRET_TEXT: Final = re.compile(
    r"""rvya_[a-z]{2,8}_[\w-]{4,}
    |[bB][eE][aA][rR][eE][rR][ ]+(?=\S*\d)[\w.~+/=-]{16,}
    |s(?<!\ws)k-[\w-]{20,}
    |A(?<!\wA)KIA[0-9A-Z]{16}\b
    |g(?<!\wg)h[pousr]_\w{30,}
    |g(?<!\wg)ithub_pat_\w{30,}
    |x(?<!\wx)ox[abprs]-[\w-]{10,}
    |A(?<!\wA)Iza[\w-]{35}
    |e(?<![\w-]e)yJ[\w-]{10,}\.eyJ[\w-]{10,}(?:\.[\w-]*)?
    |-----BEGIN[ ][A-Z ]*PRIVATE[ ]KEY-----""",
    re.VERBOSE,
)
# What each of them cannot be without, in small letters: these searches cost a third of one for the pattern, and
# nearly no text has one of these words.
_SECRET_WORDS: Final = (
    *("rvya_", "bearer ", "sk-", "akia", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"),
    *("xox", "aiza", "eyj", "-----begin "),
)
_NAMES: Final = (
    r"(?:rivya[_-]?)?api[_-]?key|authorization|password|passwd|client[_-]?secret|secret[_-]?key|access[_-]?token"
)
_SECRET_NAME: Final = re.compile(_NAMES, re.IGNORECASE)
_NAMED_VALUE: Final = re.compile(rf"""(?<![\w-])((?:{_NAMES})["']?\s*[:=]\s*)(\S.*)""", re.IGNORECASE)
_USER_INFO: Final = re.compile(r"(?<=://)[^\s/@]+(?=@)")


def is_secret_text(text: str) -> bool:
    """Tell whether `text` holds something that looks like a key."""
    small = text.lower()
    for word in _SECRET_WORDS:
        if word in small:
            return _SECRET_TEXT.search(text) is not None
    return False


def is_secret_name(name: str) -> bool:
    """Tell whether `name` is what people call a key, such as `api_key`."""
    return _SECRET_NAME.fullmatch(name) is not None


def masked(text: str) -> str:
    """Return `text` with everything that looks like a key as stars, one for one."""
    text = _SECRET_TEXT.sub(lambda found: "*" * len(found[0]), text)
    text = _USER_INFO.sub(lambda found: "*" * len(found[0]), text)
    return _NAMED_VALUE.sub(lambda found: found[1] + re.sub(r"\S", "*", found[2]), text)
