"""What one send proves, and what follows: every row of the table, without and with earlier doubt."""

from __future__ import annotations

import pytest

from jobs.answers import ErrorSeen, Phase, SendEnd, TaskSeen
from jobs.verdict import Next, Pause, SendPolicy, VerdictKind, judge, settle
from tests.jobs.workbench import AMBIGUOUS, NOT_SENT, refused, seen

POLICY = SendPolicy(resends_max=3, key_window_s=3600.0, conflict_window_s=120.0)
K, N = VerdictKind, Next

# how a send ended, what it proves alone, (what follows, doubt after) without and what follows with earlier doubt
ROWS = [
    ("nothing left", NOT_SENT, K.NOT_SENT, (N.RESEND, False), N.RESEND),
    ("a task", seen(), K.ACCEPTED, (N.ACCEPT, False), N.ACCEPT),
    ("202 with a task", SendEnd(phase=Phase.ANSWERED, status=202, task=TaskSeen(id="t", status="queued")),
     K.ACCEPTED, (N.ACCEPT, False), N.ACCEPT),
    ("2xx without a task", refused(200), K.AMBIGUOUS, (N.RESEND, True), N.RESEND),
    ("204", refused(204), K.AMBIGUOUS, (N.RESEND, True), N.RESEND),
    ("2xx with an error's envelope", refused(200, "validation_failed"), K.AMBIGUOUS, (N.RESEND, True), N.RESEND),
    ("429", refused(429, "rate_limited"), K.LIMITED, (N.RESEND, False), N.RESEND),
    ("429 of a limiter in front", refused(429), K.LIMITED, (N.RESEND, False), N.RESEND),
    ("the same words with a 400", refused(400, "rate_limited"), K.LIMITED, (N.RESEND, False), N.RESEND),
    ("with a 502", refused(502, "rate_limited"), K.AMBIGUOUS, (N.RESEND, True), N.RESEND),
    ("with a 418", refused(418, "rate_limited"), K.AMBIGUOUS, (N.RESEND, True), N.RESEND),
    ("invalid", refused(400, "validation_failed"), K.REJECTED, (N.REJECT, False), N.RESEND),
    ("too large, told by the service", refused(413, "validation_failed"), K.REJECTED, (N.REJECT, False), N.RESEND),
    ("unprocessable", refused(422, "validation_failed"), K.REJECTED, (N.REJECT, False), N.RESEND),
    ("a chat model", refused(400, "chat_model_not_supported"), K.REJECTED, (N.REJECT, False), N.RESEND),
    ("a 400 code of tomorrow", refused(400, "brand_new"), K.REJECTED, (N.REJECT, False), N.RESEND),
    ("a bare 400", refused(400), K.AMBIGUOUS, (N.RESEND, True), N.RESEND),
    ("a bare 413", refused(413), K.AMBIGUOUS, (N.RESEND, True), N.RESEND),
    ("a bare 422", refused(422), K.AMBIGUOUS, (N.RESEND, True), N.RESEND),
    ("no credits", refused(402, "insufficient_credits"), K.NO_CREDITS, (N.REJECT, False), N.HOLD),
    ("no credits as a 400", refused(400, "insufficient_credits"), K.NO_CREDITS, (N.REJECT, False), N.HOLD),
    ("no credits as a 429", refused(429, "insufficient_credits"), K.NO_CREDITS, (N.REJECT, False), N.HOLD),
    ("no credits as a 418", refused(418, "insufficient_credits"), K.NO_CREDITS_PERHAPS, (N.HOLD, True), N.HOLD),
    ("no credits as a 502", refused(502, "insufficient_credits"), K.NO_CREDITS_PERHAPS, (N.HOLD, True), N.HOLD),
    ("a bare 402", refused(402), K.AMBIGUOUS, (N.RESEND, True), N.RESEND),
    ("key missing", refused(401, "api_key_missing"), K.REFUSED_KEY, (N.HOLD, False), N.HOLD),
    ("key expired", refused(401, "api_key_expired"), K.REFUSED_KEY, (N.HOLD, False), N.HOLD),
    ("scope denied", refused(403, "api_scope_denied"), K.REFUSED_KEY, (N.HOLD, False), N.HOLD),
    ("a 401 code of tomorrow", refused(401, "api_key_suspended"), K.REFUSED_KEY, (N.HOLD, False), N.HOLD),
    ("a bare 401", refused(401), K.AMBIGUOUS, (N.RESEND, True), N.RESEND),
    ("a bare 403", refused(403), K.AMBIGUOUS, (N.RESEND, True), N.RESEND),
    ("no such path", refused(404), K.MISROUTED, (N.HOLD, True), N.HOLD),
    ("not found", refused(404, "not_found"), K.MISROUTED, (N.HOLD, True), N.HOLD),
    ("a redirect", refused(302), K.MISROUTED, (N.HOLD, True), N.HOLD),
    ("a redirect that keeps the method", refused(308), K.MISROUTED, (N.HOLD, True), N.HOLD),
    ("conflict", refused(409, "idempotency_conflict"), K.CONFLICT, (N.RESEND, True), N.RESEND),
    ("408", refused(408), K.AMBIGUOUS, (N.RESEND, True), N.RESEND),
    ("425", refused(425), K.AMBIGUOUS, (N.RESEND, True), N.RESEND),
    ("499", refused(499), K.AMBIGUOUS, (N.RESEND, True), N.RESEND),
    ("500", refused(500), K.AMBIGUOUS, (N.RESEND, True), N.RESEND),
    ("500 with an envelope", refused(500, "validation_failed"), K.AMBIGUOUS, (N.RESEND, True), N.RESEND),
    ("switched off", refused(503, "public_api_disabled"), K.AMBIGUOUS, (N.RESEND, True), N.RESEND),
    ("599", refused(599), K.AMBIGUOUS, (N.RESEND, True), N.RESEND),
    ("418 with an unknown code", refused(418, "teapot"), K.AMBIGUOUS, (N.RESEND, True), N.RESEND),
    ("100", refused(100), K.AMBIGUOUS, (N.RESEND, True), N.RESEND),
    ("reset after the headers", AMBIGUOUS, K.AMBIGUOUS, (N.RESEND, True), N.RESEND),
    ("cut in the body of a 200", SendEnd(phase=Phase.SENT, status=200), K.AMBIGUOUS, (N.RESEND, True), N.RESEND),
    ("cut in the body of a 400", SendEnd(phase=Phase.SENT, status=400), K.AMBIGUOUS, (N.RESEND, True), N.RESEND),
    ("an answer without a status", SendEnd(phase=Phase.ANSWERED), K.AMBIGUOUS, (N.RESEND, True), N.RESEND),
]  # fmt: skip


@pytest.mark.parametrize(("end", "kind", "clean", "doubted"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_a_send_proves_what_the_table_says(
    end: SendEnd, kind: VerdictKind, clean: tuple[Next, bool], doubted: Next
) -> None:
    verdict = judge(end)

    assert verdict.kind is kind
    without = settle(verdict, ambiguous=False, resends=0, age_s=0.0, conflict_age_s=0.0, policy=POLICY)
    assert (without.next, without.ambiguous) == clean
    after = settle(verdict, ambiguous=True, resends=0, age_s=0.0, conflict_age_s=0.0, policy=POLICY)
    assert (after.next, after.ambiguous) == (doubted, True)


@pytest.mark.parametrize(
    ("end", "pause"),
    [
        (refused(402, "insufficient_credits"), Pause.CREDITS),
        (refused(401, "api_key_revoked"), Pause.AUTH),
        (refused(302), Pause.CONFIG),
        (refused(404), Pause.CONFIG),
        (refused(400, "validation_failed"), None),
        (refused(500), None),
        (refused(429), None),
        (refused(409), None),
        (NOT_SENT, None),
    ],
)
def test_what_would_hit_every_other_create_as_well_pauses_buying(end: SendEnd, pause: Pause | None) -> None:
    assert judge(end).pause is pause


def test_a_verdict_keeps_its_evidence() -> None:
    end = refused(400, "validation_failed")

    assert judge(end).end is end
    assert judge(end).error == ErrorSeen(code="validation_failed", message="because validation_failed")
    assert judge(seen("task_9")).task == TaskSeen(id="task_9", status="queued", reserved_credits=10, final_credits=0)


@pytest.mark.parametrize("row", [row for row in ROWS if row[4] is N.RESEND], ids=lambda row: row[0])
@pytest.mark.parametrize("age_s", [3600.0, 1e9])
def test_a_doubted_key_is_given_up_when_its_window_is_over(
    row: tuple[str, SendEnd, VerdictKind, tuple[Next, bool], Next], age_s: float
) -> None:
    follow = settle(judge(row[1]), ambiguous=True, resends=0, age_s=age_s, conflict_age_s=None, policy=POLICY)

    assert (follow.next, follow.ambiguous) == (N.PARK, True)
    assert "60 min" in follow.reason


@pytest.mark.parametrize("end", [NOT_SENT, refused(429)])
def test_a_key_that_surely_never_arrived_does_not_grow_old(end: SendEnd) -> None:
    follow = settle(judge(end), ambiguous=False, resends=99, age_s=1e9, conflict_age_s=None, policy=POLICY)

    assert (follow.next, follow.ambiguous) == (N.RESEND, False)


@pytest.mark.parametrize("end", [AMBIGUOUS, refused(500), refused(400, "validation_failed"), refused(409)])
def test_a_doubted_key_is_given_up_after_its_resends(end: SendEnd) -> None:
    def after(resends: int) -> Next:
        return settle(judge(end), ambiguous=True, resends=resends, age_s=1.0, conflict_age_s=1.0, policy=POLICY).next

    assert [after(resends) for resends in (0, 2, 3, 4)] == [N.RESEND, N.RESEND, N.PARK, N.PARK]


@pytest.mark.parametrize("end", [NOT_SENT, refused(429)])
def test_what_was_not_even_looked_at_uses_up_no_resend(end: SendEnd) -> None:
    follow = settle(judge(end), ambiguous=True, resends=99, age_s=1.0, conflict_age_s=None, policy=POLICY)

    assert follow.next is N.RESEND


@pytest.mark.parametrize("ambiguous", [False, True])
def test_a_conflict_may_be_the_first_send_still_running_for_two_minutes(ambiguous: bool) -> None:
    def after(conflict_age_s: float) -> Next:
        verdict = judge(refused(409, "idempotency_conflict"))
        return settle(
            verdict, ambiguous=ambiguous, resends=0, age_s=1.0, conflict_age_s=conflict_age_s, policy=POLICY
        ).next

    assert [after(0.0), after(119.0), after(120.0)] == [N.RESEND, N.RESEND, N.PARK]


def test_a_task_is_a_task_however_late() -> None:
    follow = settle(judge(seen()), ambiguous=True, resends=99, age_s=1e9, conflict_age_s=1e9, policy=POLICY)

    assert follow.next is N.ACCEPT


def test_the_reason_says_what_was_tried_and_what_came_last() -> None:
    follow = settle(judge(AMBIGUOUS), ambiguous=True, resends=3, age_s=1.0, conflict_age_s=None, policy=POLICY)

    assert follow.reason == "4 sends without an answer, last: connection reset"
