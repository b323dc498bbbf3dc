"""What is there twice among very many."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from jobs.hashes import Hashes


@given(st.lists(st.text(max_size=2), max_size=60))
def test_what_was_added_twice_is_doubled_and_nothing_else(texts: list[str]) -> None:
    hashes = Hashes()
    for text in texts:
        hashes.add(text)

    assert hashes.doubled() == {hash(text) for text in texts if texts.count(text) > 1}
