"""The ledger against a model, in any order of what can happen to it: commands are decided, turns taken, leases answered
in every way or not at all, clocks moved, owners replaced, targets paused and resumed, commits and reads failed before
or after they happened. Breakers open and close by what the answers are (`gate_model.py`).

The model knows of each command how often it was given away, what was answered and accepted, and when it may come next.
In the end everything works and every command finds its end.
"""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Container
from pathlib import Path
from typing import Literal

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from adapters.breaker import BreakerPolicy
from adapters.gates import GatePolicy
from adapters.ledger import DELIVERY, OPEN, Entry, State
from adapters.requests import CANCELLABLE
from adapters.retry import RetryPolicy
from adapters.turn import Ack, Bounds, Turn, Want
from adapters.work import Outcome, Verdict, Work
from streams.backends.open import open_log
from streams.log import LogUnavailable
from streams.outputs import Command, Terms
from tests.adapters.gate_model import GateModel
from tests.adapters.world import World
from tests.conformance.backends import SMALL, Clock

POLICIES = {
    "police": RetryPolicy(initial=1.0, factor=2.0, max=8.0, attempts=3, elapsed=3_600.0),
    "bank": RetryPolicy(initial=10.0, factor=1.0, max=10.0, attempts=1_000, elapsed=60.0),
}
BREAKERS = {
    "police": BreakerPolicy(failures=0.5, window=20.0, minimum=3, pause=10.0, longest=25.0, probes=2),
    "bank": BreakerPolicy(failures=0.7, window=1_000.0, minimum=2, pause=1.0, longest=1.0, probes=1),
}
TARGETS = st.sampled_from(["police", "police", "bank", "nobody"])
SETTLED = {State.DONE, State.CANCELLED, State.SHADOW, State.EXPIRED}


class Model(RuleBasedStateMachine):
    url = "memory://"

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.clock = Clock()
        url = self.url.replace("FOLDER", str(self.folder))
        self.log = open_log(url, partitions=1, now=self.clock, limits=SMALL)
        self.chances: list[float] = []
        bounds = Bounds(page=3, capacity=3, scan=1_000, unsaved=2)
        gates = {target: GatePolicy(breaker) for target, breaker in BREAKERS.items()}
        self.world = World(self.log, self.clock, POLICIES, bounds, chance=self._chance, gates=gates)
        self.gates = {target: GateModel(target, breaker) for target, breaker in BREAKERS.items()}
        self.attempts: dict[str, int] = {}
        """As stored after the last turn."""
        self.failed_at: set[int] = set()
        """When turns failed since one succeeded."""
        self.number = 0
        self.held: list[Work] = []
        """Given away, and not answered by the test."""
        self.unheard: list[Ack] = []
        """Answered by the test, and the answer's answer has not come."""
        self.given: Counter[str] = Counter()
        self.returned: Counter[str] = Counter()
        self.not_before: dict[str, int] = {}
        self.redriven: set[str] = set()
        """Those that people asked something for, done or left."""
        self.lost = 0
        """Owners replaced: leases that were stored may never have been handed out."""

    def _chance(self) -> float:
        return self.chances.pop() if self.chances else 0.5

    # -- what happens

    @rule(
        count=st.integers(1, 7),
        to=TARGETS,
        key=st.sampled_from("AB"),
        order=st.booleans(),
        lives=st.sampled_from([0, 0, 0, 5, 30]),
        takes=st.sampled_from([0, 0, 40]),
        shadow=st.booleans() | st.just(False),
    )
    def decide(self, count: int, to: str, key: str, order: bool, lives: int, takes: int, shadow: bool) -> None:
        names = [f"c{number:04}" for number in range(self.number, self.number + count)]
        self.number += count
        terms = Terms(timeout=takes * 1_000_000, expires=lives * 1_000_000, order=order)
        for name in names:
            args = {"n": name}
            command = Command(name, "do", to, "rule", key, self.clock(), "e1", args, "digest", shadow, terms=terms)
            self.world.decided[name] = command
        self.world.decide(*names)

    @precondition(lambda self: self.number)
    @rule(data=st.data())
    def decide_again(self, data: st.DataObject) -> None:
        command = data.draw(st.sampled_from(sorted(self.world.decided)))
        self.world.decide(command)

    @rule(
        to=st.sampled_from(sorted(POLICIES)),
        limit=st.integers(0, 5),
        ttl=st.sampled_from([0.5, 5.0, 60.0]),
        chances=st.lists(st.floats(0, 0.999), max_size=3),
        fails=st.sampled_from(["", "", "", "before", "after", "rows", "due", "outputs"]),
        data=st.data(),
    )
    def turn(self, to: str, limit: int, ttl: float, chances: list[float], fails: str, data: st.DataObject) -> None:
        acks: list[Ack] = []
        if self.held:
            works = data.draw(st.lists(st.sampled_from(self.held), max_size=4))  # one of them also twice
            acks = [Ack(work, data.draw(OUTCOMES)) for work in works]
        for ack in acks:
            if ack.work in self.held:
                self.held.remove(ack.work)
        self.unheard += acks
        self.chances = chances
        if fails in ("before", "after"):
            self.world.log.commit_fails = fails
        else:
            self.world.log.reading_fails = fails
        self._turn(acks, [Want(to, limit, ttl)] if limit else [])

    @rule(
        to=st.sampled_from(sorted(POLICIES)),
        answers=st.lists(st.sampled_from(["done", "busy", "busy", "held", ""]), min_size=1, max_size=3),
        fails=st.sampled_from(["", "", "outputs"]),
        pause=st.sampled_from([0.0, 1.0, 11.0]),
        late=st.integers(0, 1),
    )
    def the_target_answers(self, to: str, answers: list[str], fails: str, pause: float, late: int) -> None:
        """Everything that it is given in the same way, or not at all, but for one that is answered with the next."""
        for number, answer in enumerate(answers):
            self._turn([], [Want(to, 5, 5.0)])
            if answer:
                works = [work for work in self.held if work.target == to][late if number == 0 else 0 :]
                acks = [Ack(work, ANSWERS[answer]) for work in works]
                self.held = [work for work in self.held if work not in works]
                self.unheard += acks
                self.world.log.reading_fails = fails
                if self._turn(acks, []) is None:
                    self._turn([], [])
            self.clock.advance(pause)

    @rule(to=st.sampled_from(sorted(POLICIES)), action=st.sampled_from(["pause", "resume", "resume"]))
    def somebody_pauses_or_resumes(self, to: str, action: Literal["pause", "resume"]) -> None:
        self.world.ask(action, to, reason="by hand")

    @rule(seconds=st.sampled_from([0.001, 0.4, 1.0, 6.0, 20.0, 100.0]))
    def time_passes(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @rule()
    def another_owner_takes_over(self) -> None:
        self.world.restart()
        unheard = Counter(ack.work.id for ack in self.unheard)
        self.unheard.clear()
        self.held.clear()
        self.lost += 1
        self.failed_at.clear()
        for gate in self.gates.values():
            gate.restart(self.log.rows(0, DELIVERY, gate.rows))
        stored = self.world.entries()
        self.attempts = {id: entry.attempts for id, entry in stored.items()}
        for id, entry in stored.items():
            assert entry.attempts >= self.given[id] - self.returned[id] - unheard[id]
            if entry.state is State.IN_FLIGHT:
                self.not_before.pop(id, None)  # the lease of the one before is over
            self.given[id], self.returned[id] = entry.attempts, 0

    @precondition(lambda self: self.number)
    @rule(data=st.data())
    def somebody_redrives(self, data: st.DataObject) -> None:
        self._ask(data, (State.PARKED,), lambda names: self.world.ask("redrive", *names))

    @precondition(lambda self: self.number)
    @rule(data=st.data())
    def somebody_cancels(self, data: st.DataObject) -> None:
        self._ask(data, CANCELLABLE, lambda names: self.world.ask("cancel", *names, reason="by hand"))

    @precondition(lambda self: self.number)
    @rule(data=st.data())
    def somebody_lets_expire(self, data: st.DataObject) -> None:
        self._ask(data, CANCELLABLE, lambda names: self.world.ask("expire", *names, reason="by hand"))

    def _ask(self, data: st.DataObject, states: Container[State], ask: Callable[[list[str]], None]) -> None:
        """Half of the time for commands whose state fits now: by the time that delivery comes to it, it may not."""
        decided = sorted(self.world.decided)
        fitting = [id for id, entry in self.world.entries().items() if entry.state in states and id in decided]
        one = st.sampled_from(decided)
        names = data.draw(st.lists(one | st.sampled_from(sorted(fitting)) if fitting else one, min_size=1, max_size=3))
        ask(names)
        self.redriven.update(names)

    # -- what must be true of it

    def _turn(self, acks: list[Ack], wants: list[Want]) -> Turn | None:
        now = self.clock()
        paused = {target for target, gate in self.gates.items() if gate.paused}
        self.world.woken = False
        try:
            turn = self.world.delivery.turn(now, acks, wants)
        except LogUnavailable:
            self.failed_at.add(now)
            return None
        finally:
            self.world.log.commit_fails = self.world.log.reading_fails = ""
        stored = self.world.entries()
        for ack, changed in turn.answers:
            self.unheard.remove(ack)
            self._answered(ack, changed, stored[ack.work.id].state)
        self._gates_after(turn, paused, stored)
        for work in turn.works:
            self._handed_out(work)
        for target, gate in self.gates.items():
            waiting = [entry for entry in stored.values() if entry.command.to == target and entry.state in OPEN]
            due = [entry for entry in waiting if entry.state is not State.IN_FLIGHT and entry.due <= now]
            held_until = gate.next_at(now)
            held = gate.paused or (held_until is not None and turn.next_at <= held_until)
            again = target in turn.ready or turn.more or self.world.woken or turn.next_at <= now
            assert not due or again or held, "what is due must not be forgotten"
            if waiting and not again and not gate.paused:
                assert turn.next_at < 2**62, "there will be something to do, and nobody would come"
        return turn

    def _gates_after(self, turn: Turn, paused: set[str], stored: dict[str, Entry]) -> None:
        now, failed = self.clock(), bool(self.failed_at)
        certain = self.failed_at <= {now}
        self.failed_at.clear()
        for target, gate in self.gates.items():
            gate.sure &= certain
            for ack, changed in turn.answers:
                if ack.work.target == target:
                    gate.answered(ack, changed, now)
            gate.stored(self.log.rows(0, DELIVERY, gate.rows), now)
            works = [work for work in turn.works if work.target == target]
            if not failed:  # else some may have been leased by a turn before
                assert not works or target not in paused, "it is paused"
                assert not works or not gate.open(now), "its breaker is open"
            for work in works:
                gate.handed_out(work, now)
            if gate.paused or gate.open(now):
                assert self.world.gates.shut(0, target, now), "what is leased already would be sent"
        attempts = {id: entry.attempts for id, entry in stored.items()}
        if not failed:
            given = Counter(work.id for work in turn.works)
            for id, count in attempts.items():
                assert count <= self.attempts.get(id, 0) + given[id], "an attempt that nobody was given"
        self.attempts = attempts

    def _answered(self, ack: Ack, changed: bool, state: State) -> None:
        id, verdict = ack.work.id, ack.outcome.verdict
        if verdict is Verdict.DONE:
            assert changed or state not in OPEN or id in self.redriven
        if not changed:
            return
        lease = ack.work.id, ack.work.leased_at
        self.held = [work for work in self.held if (work.id, work.leased_at) != lease]
        if verdict is Verdict.HELD:
            assert ack.told is not None
            self.held.append(ack.work._replace(deadline=ack.told.deadline))
            return
        if verdict in (Verdict.RETURNED, Verdict.DEFERRED, Verdict.WAITING):
            self.returned[id] += 1  # of several that wait for a result the first counts, and it may be one less
        elif any(attempt.verdict == "waiting" for attempt in self.world.entry(id).history):
            self.returned[id] += 1  # it was asked for the result only, and that is no attempt
        if verdict is Verdict.RETRY and (wait := ack.outcome.retry_after) is not None and state is State.RETRYING:
            entry = self.world.entry(id)
            assert entry.due >= min(entry.last_attempt + int(wait * 1e6), entry.command.expires_at)

    def _handed_out(self, work: Work) -> None:
        assert work.id in self.world.decided
        assert not self.world.decided[work.id].shadow
        others = [held for held in self.held if held.id == work.id and held.deadline > self.clock()]
        assert not others, "two workers have it"
        assert ("cancelled", work.id) not in self.world.told(), "what is cancelled is never sent afterwards"
        assert work.id in self.redriven or self.clock() >= self.not_before.get(work.id, 0)
        if self.world.decided[work.id].terms.order:  # type: ignore[union-attr]
            self._its_turn(work.id)
        self.given[work.id] += 1
        self.held.append(work)

    def _its_turn(self, id: str) -> None:
        stored = self.world.entries()
        for other in stored.values():
            if other.lane and _lane(other) == _lane(stored[id]) and id not in self.redriven:
                assert other.number >= stored[id].number or other.command.id in self.redriven, "an earlier one is open"

    @invariant()
    def what_is_open_of_a_lane_is_one_list(self) -> None:
        stored = self.world.entries()
        lanes: dict[tuple[str, str], dict[str, Entry]] = {}
        for id, entry in stored.items():
            ordered = entry.command.terms is not None and entry.command.terms.order
            assert entry.lane == (ordered and entry.state in OPEN)
            if entry.lane:
                lanes.setdefault(_lane(entry), {})[id] = entry
            else:
                assert not entry.before
                assert not entry.after
        for lane in lanes.values():
            (head,) = [entry for entry in lane.values() if not entry.before]
            walked = 1
            while head.after:
                assert lane[head.after].before == head.command.id
                assert lane[head.after].state is State.PENDING
                head = lane[head.after]
                walked += 1
            assert walked == len(lane)

    @invariant()
    def the_ledger_and_the_events_tell_one_story(self) -> None:
        told = Counter(self.world.told())
        for id, entry in self.world.entries().items():
            assert told[("succeeded", id)] == (entry.state is State.DONE)
            assert told[("cancelled", id)] == (entry.state is State.CANCELLED)
            assert told[("parked", id)] == entry.parked
            assert told[("expired", id)] == (entry.state is State.EXPIRED)
            assert entry.state is not State.WAITING or entry.progress is not None
            unheard = sum(ack.work.id == id for ack in self.unheard)
            asked = any(attempt.verdict == "waiting" for attempt in entry.history)
            ran_out = sum(attempt.verdict == "lease_expired" for attempt in entry.history) if asked else 0
            assert entry.attempts >= self.given[id] - self.returned[id] - unheard - ran_out
            assert (entry.looks_failed > 0) == (entry.look_failed > 0)
            limit = POLICIES[entry.command.to].attempts if entry.command.to in POLICIES else 0
            assert entry.round_attempts <= limit + asked  # who waits for a result may ask when no attempt is left
            if entry.state is State.RETRYING:
                assert not entry.last_attempt or entry.due - entry.last_attempt <= 86_400_000_000
                self.not_before[id] = entry.due
        assert len({event.id for event in self.world.results()}) == len(self.world.results())

    def teardown(self) -> None:
        try:
            self._ends()
        finally:
            self.log.close()
            shutil.rmtree(self.folder)

    def _ends(self) -> None:
        """Nothing fails any more: every command finds its end, whatever happened before."""
        self.world.ask("resume", *POLICIES)
        for _ in range(200):
            acks = [Ack(work, Outcome(Verdict.DONE)) for work in self.held]
            self.held.clear()
            self.unheard += acks
            turn = self._turn(acks, [Want(target, 5, 60.0) for target in POLICIES])
            assert turn is not None
            if not (turn.works or turn.more or turn.ready or self.world.woken):
                if turn.next_at >= 2**62:
                    break
                self.clock.now = max(self.clock.now, turn.next_at)
        stored = self.world.entries()
        assert stored.keys() == self.world.decided.keys()
        assert {entry.state for entry in stored.values()} <= SETTLED | {State.PARKED}
        assert not self.unheard
        for id, entry in stored.items():
            if entry.state is State.DONE and not self.lost:
                assert self.given[id] > 0
            if entry.command.to == "nobody" and not entry.command.shadow:
                assert entry.state in (State.PARKED, State.CANCELLED, State.EXPIRED)
        self.the_ledger_and_the_events_tell_one_story()


ANSWERS = {
    "done": Outcome(Verdict.DONE, result={"ok": True}),
    "busy": Outcome(Verdict.RETRY, "busy"),
    "held": Outcome(Verdict.HELD, retry_after=30.0),
}
OUTCOMES = st.one_of(
    st.just(ANSWERS["done"]),
    st.builds(lambda wait: Outcome(Verdict.RETRY, "busy", retry_after=wait), st.none() | st.floats(0, 50)),
    st.just(Outcome(Verdict.FINAL, "HTTP 400")),
    st.just(Outcome(Verdict.RETURNED)),
    st.builds(lambda wait: Outcome(Verdict.DEFERRED, retry_after=wait), st.floats(0, 50)),
    st.builds(lambda wait: Outcome(Verdict.WAITING, retry_after=wait, progress={"run": 1}), st.floats(0, 50)),
    st.builds(lambda wait: Outcome(Verdict.HELD, retry_after=wait), st.floats(0, 50)),
)


def _lane(entry: Entry) -> tuple[str, str]:
    return entry.command.to, entry.command.key


class OnDisk(Model):
    url = "sqlite:///FOLDER/log.db?synchronous=normal"


def test_in_any_order_of_events_every_command_is_delivered_and_told_once() -> None:
    run_state_machine_as_test(Model, settings=settings(max_examples=60, stateful_step_count=40))


def test_the_same_holds_on_disk() -> None:
    run_state_machine_as_test(OnDisk, settings=settings(max_examples=10, stateful_step_count=40))
