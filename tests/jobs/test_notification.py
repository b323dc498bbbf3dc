"""Who hears of what, and in which words."""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.findings import Place
from jobs.notification import (
    EVENT_OF_EXIT,
    NEEDS_A_PERSON,
    Event,
    News,
    Notification,
    event_of_end,
    payload,
    shown_address,
    signed,
    verdict,
    verdict_line,
    without_addresses,
)
from jobs.record import Money
from jobs.verdict import Pause

ALL = tuple(Event)
GOOD = News(
    run="nightly@2026-11-20",
    edition="2026-11-20",
    exit_code=0,
    counts={"succeeded": 6},
    money=Money(reserved=0, settled=21),
    cap_credits=60,
    elapsed_s=521.4,
    next_command="rivya-batch results nightly@2026-11-20",
)
BAD = replace(
    GOOD,
    exit_code=3,
    counts={"succeeded": 4, "failed": 1, "uncertain": 1},
    money=Money(reserved=5, settled=14),
    next_command="rivya-batch retry nightly@2026-11-20 --failed",
)


@pytest.mark.parametrize(
    ("exit_code", "event"),
    [
        (0, "finished"),
        (1, "failed"),
        (2, None),
        (3, "failed"),
        (4, "failed"),
        (5, "budget"),
        (6, None),
        (7, "attention"),
        (8, "failed"),
        (9, "failed"),
        (130, None),
        (143, None),
    ],
)
def test_every_way_to_end_is_told_as_one_event_or_as_none(exit_code: int, event: str | None) -> None:
    news = replace(GOOD, exit_code=exit_code)

    assert event_of_end(news, on=ALL) == event
    assert event_of_end(news, on=()) is None
    for other in ALL:
        assert event_of_end(news, on=[other]) == (event if other == event else None)


def test_a_repeated_command_that_finds_nothing_to_do_tells_nobody() -> None:
    again = replace(GOOD, done_before=6)

    assert event_of_end(again, on=ALL) is None
    assert verdict(again) == "nothing to do"
    assert event_of_end(replace(again, done_before=5), on=ALL) is Event.FINISHED
    assert event_of_end(replace(again, exit_code=5), on=ALL) is Event.BUDGET, "trouble that stays is told again"


def test_who_waits_for_attention_alone_hears_of_a_pause_that_ended_the_run() -> None:
    out_of_credits = replace(BAD, exit_code=5)

    assert event_of_end(out_of_credits, on=["attention"], waiting={Pause.CREDITS}) is Event.ATTENTION
    assert event_of_end(out_of_credits, on=["attention"], waiting=()) is None
    assert event_of_end(out_of_credits, on=["attention", "budget"], waiting={Pause.CREDITS}) is Event.BUDGET


def test_pauses_that_end_by_themselves_ask_for_nobody() -> None:
    by_themselves = {Pause.NETWORK, Pause.CREATES, Pause.POLLS}
    assert set(Pause) - NEEDS_A_PERSON == by_themselves | {Pause.BUDGET, Pause.PERSON}, "and what a person chose"


@pytest.mark.parametrize(
    ("news", "line"),
    [
        (
            GOOD,
            (
                "nightly@2026-11-20: ok; 6 of 6 done; 21 of 60 credits spent; took 8m 41s; "
                "next: rivya-batch results nightly@2026-11-20"
            ),
        ),
        (
            BAD,
            (
                "nightly@2026-11-20: some items failed (exit 3); 4 of 6 done, 1 failed, 1 uncertain; 14 of 60 credits "
                "spent, 5 held; took 8m 41s; next: rivya-batch retry nightly@2026-11-20 --failed"
            ),
        ),
        (
            News(run="a", edition="", exit_code=9, reason="The ledger is held by pid 4711."),
            "a: the ledger or the disk is in the way (exit 9); The ledger is held by pid 4711.",
        ),
        (
            replace(GOOD, exit_code=None, reason="the balance is empty", cap_credits=None, next_command=""),
            "nightly@2026-11-20: waits for a person; the balance is empty; 6 of 6 done; 21 credits spent; took 8m 41s",
        ),
        (
            News(run="a", edition="", exit_code=0, rehearsal=True, elapsed_s=0.2),
            "rehearsal of a: nothing to do; 0 of 0 done; 0 credits spent; took 0s",
        ),
    ],
)
def test_one_line_says_run_verdict_counts_credits_time_and_what_to_type(news: News, line: str) -> None:
    assert verdict_line(news) == line


@given(st.text(), st.text(), st.text())
def test_the_line_is_one_line_whatever_strangers_put_into_it(run: str, reason: str, following: str) -> None:
    news = replace(GOOD, run=run, reason=reason, next_command=following)
    message = Notification(event=Event.FAILED, news=news)

    for text in (verdict_line(news), message.text, message.title):
        assert len(text.splitlines()) <= 1
        assert text.isprintable() or not any(ord(char) < 32 for char in text)


def test_a_page_of_an_error_is_cut_to_a_sentence() -> None:
    assert len(verdict_line(replace(GOOD, reason="x" * 100_000))) < 700
    told = payload(Notification(event=Event.FAILED, news=replace(GOOD, reason="x" * 100_000)), at="now")
    assert len(str(told["reason"])) == 300


def test_the_body_of_a_webhook_has_names_that_programs_may_rely_on() -> None:
    told = payload(Notification(event=Event.FAILED, news=BAD), at="2026-11-20T02:23:41.000Z")

    assert told == {
        "version": 1,
        "event": "failed",
        "at": "2026-11-20T02:23:41.000Z",
        "run": "nightly@2026-11-20",
        "edition": "2026-11-20",
        "exit_code": 3,
        "counts": {"succeeded": 4, "failed": 1, "uncertain": 1},
        "credits": {"settled": 14, "reserved": 5, "cap": 60},
        "seconds": 521.4,
        "reason": None,
        "text": "nightly@2026-11-20: some items failed (exit 3); 4 of 6 done, 1 failed, 1 uncertain; "
        "14 of 60 credits spent, 5 held; took 8m 41s",
        "next": "rivya-batch retry nightly@2026-11-20 --failed",
        "rehearsal": False,
    }


def test_the_signature_is_that_of_the_standard_webhooks_specification() -> None:
    """The example that the specification's own libraries test themselves with."""
    headers = signed(
        b'{"test": 2432232314}',
        secret="whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        message_id="msg_p5jXN8AQM9LWM0D4loKWxJek",
        at_s=1614265330,
    )

    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


@pytest.mark.parametrize("secret", ["correct horse", "whsec_not base64!", "whsec"])
def test_a_secret_that_is_no_base64_is_taken_as_it_is(secret: str) -> None:
    mac = hmac.new(secret.encode(), b"id.5.body", hashlib.sha256).digest()

    headers = signed(b"body", secret=secret, message_id="id", at_s=5)

    assert headers["webhook-signature"] == "v1," + base64.b64encode(mac).decode()


def test_without_a_secret_there_is_no_signature() -> None:
    assert signed(b"body", secret=None, message_id="id", at_s=5) == {"webhook-id": "id", "webhook-timestamp": "5"}


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("https://hooks.example.com/services/T0/B0/SECRET?token=abc", "https://hooks.example.com"),
        ("http://localhost:8080/x", "http://localhost"),
        ("https://me:word@example.com/x", "https://example.com"),
        ("slack://TokenA/TokenB/TokenC", "slack://"),
        ("mailto://me:word@example.com", "mailto://"),
        ("https://[half", "an address"),
        ("", "an address"),
    ],
)
def test_an_address_is_shown_without_what_may_be_secret(address: str, shown: str) -> None:
    assert shown_address(address) == shown


def test_addresses_are_starred_out_of_the_lines_that_findings_show_and_columns_stay() -> None:
    line = "notify: {on: [failed], urls: ['https://h.com/TOKEN?a', slack://TOKEN/TOKEN]}"
    places = [
        Place(file="a", line=2, column=line.index("'https") + 1, end_column=line.index(", slack") + 1),
        Place(file="a", line=2, column=line.index("slack") + 1, end_column=line.index("]}") + 1),
    ]

    told = without_addresses(f"version: 1\n{line}\nname: TOKEN\n", places)

    assert told == (
        "version: 1\nnotify: {on: [failed], urls: ['https://h.com********', slack://***********]}\nname: TOKEN\n"
    )


def test_every_exit_code_that_is_told_has_words() -> None:
    words = {verdict(replace(GOOD, exit_code=code)) for code in (*EVENT_OF_EXIT, 2, 130, 143)}

    assert len(words) == len(EVENT_OF_EXIT) + 3
    assert not [word for word in words if word.startswith("exit ")]
