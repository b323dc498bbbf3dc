"""Commands that are printed for people to copy: a copy that is typed later must still mean the same item."""

from __future__ import annotations

from jobs.escape import for_terminal

__all__ = ["command_line", "item_words", "quoted"]

# A longer key says less than the hash that stands for it, and breaks when it is copied from a narrow terminal.
KEY_CHARS_MAX = 160

# What no shell reads as anything but itself.
_PLAIN = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_@%+=:,./-")


def item_words(key: str, *, run: str, identity: str, is_found_by_key: bool = True) -> tuple[str, ...]:
    """What names an item in a command.

    Every edition of a run has the same keys, so a key goes with its run. The identity stands for a key that cannot be
    read or copied, and for one that the manifest has given to another item since.
    """
    readable = len(key) <= KEY_CHARS_MAX and for_terminal(key) == key and not key.startswith("-")
    return (key, "--run", run) if readable and is_found_by_key else (identity,)


def command_line(*words: str) -> str:
    """One line for a shell, each word quoted if it needs it."""
    return " ".join(("rivya-batch", *(quoted(word) for word in words)))


def quoted(word: str) -> str:
    """One word for a shell: as it is, or in quotes."""
    return word if word and _PLAIN.issuperset(word) else "'" + word.replace("'", "'\\''") + "'"
