"""S-28: whatever a text is made for, in a page it is text: the two functions that see to it."""

from __future__ import annotations

import json
from html.parser import HTMLParser

import pytest

from jobs.escape import for_html, for_script, for_terminal
from tests.security.payloads_html import XSS


class Page(HTMLParser):
    """What a browser's parser makes of a page: its elements, their attributes, and the text in each."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.others: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def handle_comment(self, data: str) -> None:
        self.others.append(data)

    def handle_decl(self, decl: str) -> None:
        self.others.append(decl)

    def unknown_decl(self, data: str) -> None:
        self.others.append(data)

    def handle_pi(self, data: str) -> None:
        self.others.append(data)


@pytest.mark.parametrize(("context", "payload"), XSS, ids=range(len(XSS)))
def test_a_text_in_a_page_is_nothing_but_text(context: str, payload: str) -> None:
    safe = for_html(payload)
    page = Page(f"<main><p title=\"{safe}\" class='{safe}'>{safe}</p></main>")
    shown = for_terminal(payload, newlines="keep")

    assert page.elements == [("main", {}), ("p", {"title": shown, "class": shown})]
    assert ("".join(page.texts), page.others) == (shown, [])
    assert not set(safe) & set("<>\"'`")
    safe.encode("utf-8")


@pytest.mark.parametrize(("context", "payload"), XSS, ids=range(len(XSS)))
def test_a_value_in_a_script_block_stays_in_it_and_stays_what_it_is(context: str, payload: str) -> None:
    value = {"prompt": payload, payload: [payload, 1, None]}
    safe = for_script(value)
    page = Page(f'<script type="application/json">{safe}</script><p>after</p>')

    assert [tag for tag, _ in page.elements] == ["script", "p"]
    assert json.loads(page.texts[0]) == value
    assert page.texts[1:] == ["after"]
    assert not set(safe) & set("<>&'`\u2028\u2029\x00")
    safe.encode("utf-8")
