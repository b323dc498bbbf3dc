"""One process of a scenario: a core, a queue of commits, requests under way, and at the end perhaps a sudden one.

It does what the engine does, without a loop: asks what may leave, makes changes durable before their request leaves,
hands answers back. It asks again after everything that the core was told, and at the moments for which it waits.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from jobs.answers import Phase, SendEnd, Uploaded
from jobs.budget import Books
from jobs.core import Core, resume_rank
from jobs.lifecycle import ItemState
from jobs.pacing import Pacer
from jobs.rates import Rate
from jobs.steps import Download, Now, Poll, Send, Step, Wait
from jobs.verdict import Pause

if TYPE_CHECKING:
    from tests.proof.sansio import Scenario

__all__ = ["Life"]

TURNS_MAX = 3000  # of one life; the longest honest ones take a few hundred
LIFE_S_MAX = 36 * 3600.0  # every fault is over after six hours, and nothing may be put off for long after that
LATE_S_MAX = 30.0  # how long a copy may be under way
CRASH_WITHIN = 12  # events after which a deadly life is over
NEVER_S = float("inf")
POLLS = Rate(count=1000, window_s=1.0)
BROKEN = SendEnd(phase=Phase.SENT, reason="reset")
NOT_SENT = SendEnd(phase=Phase.NOT_SENT, reason="refused")


class Life:
    """One process. `last`: nothing goes wrong in it any more."""

    # More attributes than fit a shared dictionary: without slots each look at one would cost twice.
    __slots__ = (
        "adopted", "again", "ask_creates", "ask_polls", "base_s", "began_s", "commits", "core", "crash_after",
        "create_wake_s", "creating", "dead", "dice", "durable_s", "events", "heap", "last", "left", "mono_s", "now",
        "poll_wake_s", "polling", "records", "retry", "saving", "scope", "service", "stepped", "stirred", "stop_after",
        "timeout_wake_s", "turns", "uploading", "world",
    )  # fmt: skip

    def __init__(self, world: Scenario, *, last: bool) -> None:
        self.world, self.dice, self.service, self.last = world, world.dice, world.service, last
        dice = self.dice
        self.mono_s = self.began_s = float(int(dice.random() * 10_000))
        self.base_s = world.true_s - self.mono_s
        self.now = Now(self.mono_s, world.true_s + world.skew_s)
        self.records = dict(world.ledger)
        self.heap: list[tuple[float, int, Callable[[Any], None], Any]] = []
        self.commits: deque[tuple[float, Step]] = deque()
        self.durable_s = self.mono_s
        self.create_wake_s = self.poll_wake_s = NEVER_S
        self.timeout_wake_s = self.mono_s + world.settings.item_timeout_s  # as the core would say with nothing to watch
        self.stirred = True  # the core was told something: is the life over?
        self.stepped = False  # it gave a step since it was last asked whether the life is over
        self.ask_creates = self.ask_polls = True
        self.creating: dict[str, Send] = {}
        self.adopted: set[str] = set()  # keys found open
        self.polling = self.left = self.turns = self.events = 0
        self.uploading: set[str] = set()
        self.saving = 0
        self.dead = False
        self.crash_after = int(dice.random() * CRASH_WITHIN) if world.deadly and not last else -1
        self.stop_after = int(dice.random() * CRASH_WITHIN) if not last and dice.random() < 0.05 else -1
        self.retry, self.again = (False, False) if last else (dice.random() < 0.15, dice.random() < 0.08)
        self.scope = "run" if last or dice.random() < 0.9 else "other"
        self.core = self._made_core()

    def _made_core(self) -> Core:
        world = self.world
        reserved = settled = 0
        prices: dict[str, int] = {}
        for state, attempt in world.kept.values():
            if attempt.scope == self.scope:
                reserved += attempt.reserved
                settled += attempt.settled
            named, final = attempt.reserved_credits, attempt.final_credits
            if named is not None or final or (final == 0 and state is ItemState.SUCCEEDED):
                prices[attempt.price_class] = max(named or 0, final or 0, prices.get(attempt.price_class, 0))
        core = Core(
            world.settings if self.scope == world.settings.scope else replace(world.settings, scope=self.scope),
            books=Books(cap=world.cap, per_item=world.per_item, reserved=reserved, settled=settled),
            prices=prices,
            creates=Pacer("creates", world.creates),
            polls=Pacer("polls", POLLS),
        )
        core.state.uploads.update(world.uploads)
        return core

    def live(self) -> None:
        """From the first question to the end, or to the crash."""
        world, core = self.world, self.core
        self._admit()
        heap, wake_s = self.heap, NEVER_S
        while True:
            if self.stirred or wake_s <= self.mono_s:
                if core.finished():  # the engine looks before it asks
                    break
                self.stepped = False
                self._ask()
                if self.stepped and core.finished():
                    break
                wake_s = min(self.create_wake_s, self.poll_wake_s, self.timeout_wake_s)
            self.turns += 1
            if self.turns > TURNS_MAX or self.mono_s - self.began_s > LIFE_S_MAX:
                raise world.fail(f"no end after {self.turns} turns: {self.picture()}")
            if not heap or heap[0][0] > wake_s:
                if not heap and self.create_wake_s == self.poll_wake_s == NEVER_S:
                    raise world.fail(f"stuck: nothing under way and nobody waits for a moment: {self.picture()}")
                self._advance(wake_s)
                continue
            event_s, _, do, what = heapq.heappop(heap)
            self._jump()
            self._advance(event_s)
            do(what)
            self.events += 1
            if self.events == self.crash_after:
                self._die()
                return
            if self.events == self.stop_after:
                world.met("stop")
                core.stop()
                self._stir(creates=True, polls=True)
        self.commit(core.leave_unbought(self.now))
        self._flush(NEVER_S)
        heap.clear()
        world.judge.life_ended(self)

    def _admit(self) -> None:
        """Take the items in, in the order of the runner's."""
        world, core = self.world, self.core
        if world.jump or self.dice.random() < 0.5:  # a free question first: the service's clock is known from the start
            core.state.contact(self.service.hello(world.true_s), self.now)
        for item in sorted(world.items, key=lambda item: resume_rank(self.records[item.identity], item)):
            record = self.records[item.identity]
            if record.state is ItemState.SUBMITTING and record.attempt is not None:
                self.adopted.add(record.attempt.key)
            self.commit(core.admit(item, record, self.now, retry=self.retry, again=self.again))

    def ended_well(self) -> bool:
        """Nothing was put off to another life."""
        return not self.core.state.pauses

    def picture(self) -> str:
        """What to tell of a life that does not end as it should."""
        states = {item.key: self.records[item.identity].state.value for item in self.world.items}
        return f"{states}, pauses {self.core.state.pauses}, slots {len(self.core.state.slots)}, last={self.last}"

    # Time

    def _jump(self) -> None:
        world = self.world
        if world.jump and not self.creating and self.dice.random() < 0.1:
            world.met(f"jump {world.jump}")
            if world.jump == "suspend":
                self.base_s += 4000.0
            else:
                world.skew_s += world.one_of(-3000.0, 3000.0)

    def _advance(self, mono_s: float) -> None:
        world = self.world
        self.mono_s = max(self.mono_s, mono_s)
        world.true_s = self.mono_s + self.base_s
        self.now = Now(self.mono_s, world.true_s + world.skew_s)
        if self.commits and self.commits[0][0] <= self.mono_s:
            self._flush(self.mono_s)
        while world.wire and world.wire[0][0] <= world.true_s:
            arrival_s, _, key = world.wire.pop(0)
            self.service.create(arrival_s, key, world.bodies[key])
            self._count_faults("a late copy")

    def _later(self, delay_s: float, do: Callable[[Any], None], what: object) -> None:
        self.world.order += 1
        heapq.heappush(self.heap, (self.mono_s + delay_s, self.world.order, do, what))

    def _span_s(self, most_s: float) -> float:
        return 0.0 if self.world.exact else self.dice.random() * most_s

    # Asking the core

    def _stir(self, *, creates: bool = False, polls: bool = False) -> None:
        """The core was told something after which these lanes may get another answer: the engine wakes the same."""
        self.stirred = True
        self.ask_creates |= creates
        self.ask_polls |= polls

    def _ask(self) -> None:
        """Ask the lanes that have reason to, until each waits; remember the moments for which they wait."""
        core = self.core
        self.stirred = False
        if self.ask_creates or self.create_wake_s <= self.mono_s:
            self.ask_creates, self.create_wake_s = False, self._asked_for_creates()
        if self.ask_polls or self.poll_wake_s <= self.mono_s:
            self.ask_polls, self.poll_wake_s = False, self._asked_for_polls()
        if self.timeout_wake_s <= self.mono_s:
            self.timeout_wake_s = self._asked_for_timeouts()
        while (download := core.next_download()) is not None:
            self.saving += 1
            self._later(self._span_s(5.0), self._saved, download)
        if self.world.with_references:
            for digest in core.lacking.wanted():
                if digest not in self.uploading:
                    self.uploading.add(digest)
                    self._later(self._span_s(5.0), self._uploaded, digest)

    def _asked_for_creates(self) -> float:
        while len(self.creating) < self.world.crew:
            answer = self.core.next_create(self.now, ahead_s=self.world.ahead_s)
            if isinstance(answer, Wait):
                return self._until(answer)
            if isinstance(answer, Send):
                self._send(answer)
                continue
            self.turns += 1
            if self.turns > TURNS_MAX:
                raise self.world.fail("the core gives steps without end")
            self.commit(answer)
        return NEVER_S

    def _asked_for_polls(self) -> float:
        while self.polling < self.world.crew:
            answer = self.core.next_poll(self.now)
            if isinstance(answer, Wait):
                return self._until(answer)
            self.polling += 1
            self._later(self._span_s(self.world.poll_takes_s), self._poll_ended, answer)
        return NEVER_S

    def _asked_for_timeouts(self) -> float:
        while isinstance(answer := self.core.overdue(self.now), Step):
            self.world.met("stalled by time")
            self.commit(answer)
            self.stirred = True
        return self._until(answer)

    def _until(self, wait: Wait) -> float:
        if wait.until_s is None:
            return NEVER_S
        if wait.until_s <= self.mono_s:
            raise self.world.fail("a lane waits for a moment that is over: a busy loop")
        return wait.until_s

    # Creates

    def _send(self, send: Send) -> None:
        if send.identity in self.creating:
            raise self.world.fail("two creates of one item at once")
        self.creating[send.identity] = send
        if send.step.changes:
            self.commit(send.step)
            self._later(max(self.durable_s, send.leave_s) - self.mono_s, self._depart, send)
        else:
            self._depart(send)

    def _depart(self, send: Send) -> None:
        """The request leaves, unless something happened since it was decided on."""
        world, key = self.world, send.key
        kept = self.core.keep_back(send, self.now)
        if kept is not None:
            world.met("kept back")
            self.commit(kept)
            del self.creating[send.identity]
            self._stir(creates=True)
            return
        word = self._doubt(send)
        world.judge.leaves(send)
        world.auditor.left(key, world.bodies.get(key, b""))
        world.tell("left", key)
        if self.service.hits("not_sent", world.true_s):
            self._count_faults(word)
            self._later(self._span_s(3.0), self._create_ended, (send, NOT_SENT))
            return
        world.judge.posts[key] += 1
        self._later(self._span_s(2.0), self._arrive, send)

    def _doubt(self, send: Send) -> str:
        """How an attempt stands when its request leaves."""
        attempt = self.records[send.identity].attempt
        if attempt is not None and attempt.ambiguous:
            return "in doubt"
        return "left open" if send.key in self.adopted else "clean"

    def _arrive(self, send: Send) -> None:
        world, service, key = self.world, self.service, send.key
        end, now_s = BROKEN, world.true_s
        word = self._doubt(send)
        if service.hits("lost_before", now_s):
            if self.dice.random() < 0.2:  # it was only slow
                world.strand(now_s + self.dice.random() * LATE_S_MAX, key)
        else:
            answer = service.create(now_s, key, world.bodies[key])
            if not service.hits("lost_after", now_s):
                end = answer
        if service.struck:
            world.judge.story(key, service.struck, end)
            self._count_faults(word)
        self._later(self._span_s(2.0), self._create_ended, (send, end))

    def _count_faults(self, word: str) -> None:
        struck = self.service.struck
        for fault in struck:
            self.world.met(f"{fault}: {word}")
        struck.clear()

    def _create_ended(self, sent: tuple[Send, SendEnd]) -> None:
        send, end = sent
        del self.creating[send.identity]
        self.world.judge.answered(send, end)
        if end.task is not None:
            self.core.know_task(end.task.id, self.world.owners.get(end.task.id))
        self.commit(self.core.create_ended(send, end, self.now))
        self._stir(creates=True, polls=True)

    # Polls, results, references

    def _poll_ended(self, poll: Poll) -> None:
        self.polling -= 1
        state, end = self.records[poll.identity].state, BROKEN
        if not self.service.hits("poll_lost", self.world.true_s):
            end = self.service.status(self.world.true_s, poll.task_id)
        if self.service.struck:
            self._count_faults(state.value)
        taken = len(self.core.state.slots)
        step = self.core.poll_ended(poll, end, self.now)
        self.commit(step)
        frees = bool(step.changes or step.notices) or len(self.core.state.slots) < taken
        self._stir(creates=frees, polls=True)

    def _saved(self, download: Download) -> None:
        self.saving -= 1
        self._stir(creates=True)
        if not self.last and self.dice.random() < 0.15:
            self.left += 1
            full = self.dice.random() < 0.3
            self.commit(self.core.download_left(download, "no room" if full else "HTTP 503", disk=full))
            return
        state = self.world.one_of("verified", "verified", "unverified", "gone", "quarantined")
        self.commit(self.core.download_ended(download, self.now, {"state": state}))

    def _uploaded(self, digest: str) -> None:
        self._stir(creates=True)
        if not self.last and self.dice.random() < 0.15:
            if self.dice.random() < 0.5:
                self.core.state.pause(Pause.NETWORK, "the service is away")
                return
            self.commit(self.core.lacking.failed(digest, self.now, code="refused", message="not an image"))
            return
        held = Uploaded(file_id=digest, url=f"https://x.test/{digest}", kind="image", name="r", mime_type="image/png")
        self.world.uploads[digest] = held
        self.core.lacking.uploaded(digest, held)

    # Committing

    def commit(self, step: Step) -> None:
        """Judge a step, and have it written down a little later; writes are in order."""
        self.stepped = True
        for notice in step.notices:
            self.world.met(f"notice {notice.name}")
        if not step.changes:
            return
        self.durable_s = max(self.durable_s, self.mono_s) + self._span_s(0.3)
        for change in step.changes:
            self.world.judge.decided(change)
        self.world.judge.books_agree()
        self.commits.append((self.durable_s, step))

    def _flush(self, until_s: float) -> None:
        commits = self.commits
        while commits and commits[0][0] <= until_s:
            for change in commits.popleft()[1].changes:
                self.world.durable(change)

    def _die(self) -> None:
        """The process is gone: some of the waiting commits got through, and copies under way may still arrive."""
        world = self.world
        self.dead = True
        world.met("crash")
        if self.commits:
            world.met("crash with a commit under way")
            for _ in range(int(self.dice.random() * (len(self.commits) + 1))):
                for change in self.commits.popleft()[1].changes:
                    world.durable(change)
        for _, _, do, what in sorted(self.heap, key=lambda event: event[:2]):
            if do == self._arrive:
                world.met("crash with a create under way")
                if self.dice.random() < 0.7:
                    world.strand(world.true_s + self.dice.random() * LATE_S_MAX, what.key)
            elif do == self._create_ended and what[1] is not NOT_SENT:
                world.met("crash with an answer under way")
        self.heap.clear()
