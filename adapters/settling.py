"""What becomes of the commands of one partition: by an attempt's outcome, by time, by what people ask.

Works on the draft of one turn; nothing here reads a clock or the log.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from adapters import results
from adapters.alarms import Alarms
from adapters.draft import Draft
from adapters.due_queue import DueQueues
from adapters.gates import Gates, Pause
from adapters.lanes import Lanes, ordered
from adapters.leases import Leases
from adapters.ledger import LONGEST_EXCERPT, OPEN, Attempt, Entry, State
from adapters.requests import may_cancel, may_redrive, no_target
from adapters.retry import LONGEST_RETRY_AFTER, RetryPolicy
from adapters.turn import Ack, Told
from adapters.work import Outcome, Verdict
from streams.event import Event
from streams.outputs import Asked, Command
from streams.state import NEVER

LEASE_EXPIRED = "lease_expired"
"""The verdict of an attempt that never answered."""


class Settling:
    """`now`: when the turn began, microseconds. `chance` draws from [0, 1)."""

    def __init__(
        self,
        draft: Draft,
        lanes: Lanes,
        queues: DueQueues,
        leases: Leases,
        targets: Mapping[str, RetryPolicy],
        gates: Gates,
        alarms: Alarms,
        chance: Callable[[], float],
        now: int,
    ) -> None:
        self._draft = draft
        self._lanes = lanes
        self._queues = queues
        self._leases = leases
        self._targets = targets
        self._gates = gates
        self._alarms = alarms
        self._chance = chance
        self._now = now

    # -- what comes in

    def note(self, command: Command, number: int, due: int) -> None:
        """A command that is not in the ledger yet. `number`: its place in the outputs."""
        entry = Entry(command, number, due=due)
        self._draft.stage(entry)
        if command.shadow:
            entry.state, entry.ended = State.SHADOW, self._now
        elif entry.expired(self._now):
            self.expire(entry)
        elif command.to in self._targets:
            self._line_up(entry)
        else:
            self.park(entry, no_target(command.to))
        self._draft.count("taken_in", entry)

    def do(self, asked: Asked) -> None:
        """For those whose state allows it by now; asked twice, or read again, the second time changes nothing."""
        if asked.action in ("pause", "resume"):
            pause = Pause(self._now, asked.reason) if asked.action == "pause" else None
            for target in asked.ids:
                self._draft.pause(target, pause)
            return
        entries = self._draft.find(asked.ids)
        for id in asked.ids:
            entry = entries.get(id)
            if entry is None:
                continue
            if asked.action == "redrive" and may_redrive(entry, self._targets):
                self._redrive(entry)
            elif asked.action == "cancel" and may_cancel(entry):
                self._cancel(entry, asked.reason)
            elif asked.action == "expire" and may_cancel(entry):
                self.expire(entry, asked.reason)

    # -- what attempts came to

    def acknowledge(self, ack: Ack) -> bool:
        """Whether it changed anything. Notes in `ack` what became of the command, unless it is refused."""
        entry = self._draft.get(ack.work.id)
        ack.told = None
        if entry is None:
            return False
        changed = self._settle(entry, ack)
        if changed or _said_before(entry, ack):
            ack.told = Told(entry.state, entry.command.to, entry.deadline)
        return changed

    def _settle(self, entry: Entry, ack: Ack) -> bool:
        if entry.state not in OPEN:
            return False
        work, outcome = ack.work, ack.outcome
        lease = (entry.attempts, entry.leased_at)
        held = entry.state is State.IN_FLIGHT and lease == (work.attempt, work.leased_at)
        if not held and (ack.fenced or outcome.verdict is not Verdict.DONE):
            return False  # somebody else has it now; but that it was done is true whoever says so
        self._queues.remove(entry)
        self._draft.stage(entry)
        if outcome.verdict is Verdict.HELD:
            self._prolong(entry, self._now + _micros(outcome.retry_after))
            return True
        self._leases.end(work.id)
        if not ack.weighed:
            ack.weighed = True
            self._weigh(entry.command, ack)
        if outcome.verdict is Verdict.RETURNED:
            self._give_back(entry, entry.due)
            return True
        if outcome.verdict is Verdict.DEFERRED:
            self._give_back(entry, self._now + _micros(outcome.retry_after))
            return True
        entry.last_attempt = self._now
        reason = results.clean(outcome.reason)
        asked_again = entry.progress is not None
        if asked_again and entry.state is State.IN_FLIGHT:
            self._uncount(entry)  # the attempt that reached the target is the one that counts
        if outcome.verdict is not Verdict.WAITING or not asked_again:
            status = results.clean(outcome.status)
            self._record(entry, outcome.verdict.value, status, reason, outcome.took)
        match outcome.verdict:
            case Verdict.DONE:
                self._succeed(entry, outcome)
            case Verdict.FINAL:
                entry.result = results.plain(outcome.result)
                self.park(entry, reason)
            case Verdict.RETRY:
                self._try_again(entry, reason, outcome.retry_after)
            case Verdict.WAITING:
                self._await_result(entry, outcome)
        return True

    def _prolong(self, entry: Entry, until: int) -> None:
        entry.deadline = max(entry.deadline, until)
        self._leases.hold(entry)
        self._gates.prolonged(entry.command.to, entry.command.id, entry.deadline)

    def _weigh(self, command: Command, ack: Ack) -> None:
        switch = self._gates.record(command.to, command.id, ack.work.leased_at, ack.outcome, self._now)
        if switch is not None:
            self._draft.switches[command.to] = switch, command

    def end_leases(self) -> None:
        """Leases that ran out count as attempts: what kills its worker every time is parked in the end."""
        for entry in self._leases.run_out(self._now):
            self._draft.stage(entry)
            entry.last_attempt = self._now
            if entry.progress is not None:
                self._uncount(entry)
            reason = "its lease ran out without an answer"
            self._record(entry, LEASE_EXPIRED, "", reason, None)
            self._draft.count(LEASE_EXPIRED, entry)
            self._try_again(entry, reason, None)

    def _record(self, entry: Entry, verdict: str, status: str, reason: str, took: float | None) -> None:
        began = entry.leased_at or self._now
        micros = int(took * 1e6) if took is not None else max(0, self._now - began)
        status, reason = status[:LONGEST_EXCERPT], reason[:LONGEST_EXCERPT]
        entry.record(Attempt(entry.attempts, began, micros, verdict, status, reason))

    def _succeed(self, entry: Entry, outcome: Outcome) -> None:
        entry.state, entry.result, entry.last_error = State.DONE, results.plain(outcome.result), ""
        entry.progress = None
        self._end(entry, "done", results.succeeded)

    def _await_result(self, entry: Entry, outcome: Outcome) -> None:
        if entry.expired(self._now):
            self.expire(entry)
            return
        if outcome.progress is not None or entry.progress is None:
            entry.progress = results.plain(outcome.progress if outcome.progress is not None else {})
        entry.looks_failed = entry.look_failed = 0
        self._wait(entry, self._now + _micros(outcome.retry_after))
        self._draft.count("waiting", entry)

    def _uncount(self, entry: Entry) -> None:
        entry.attempts -= 1
        if entry.round_attempts == 0:
            entry.round_began = 0
        if entry.attempts == 0:
            entry.first_attempt = 0

    def _give_back(self, entry: Entry, due: int) -> None:
        self._uncount(entry)
        self._wait(entry, due)
        self._draft.count("returned", entry)

    def _try_again(self, entry: Entry, reason: str, retry_after: float | None) -> None:
        policy = self._targets.get(entry.command.to)
        if policy is None:
            self.park(entry, no_target(entry.command.to))
            return
        if entry.expired(self._now):
            entry.fail(reason)
            self.expire(entry)
            return
        made, began, what = entry.round_attempts, entry.round_began, ""
        if entry.progress is not None:  # the target has it for as long as it takes; that it cannot be asked may end
            entry.looks_failed += 1
            entry.look_failed = entry.look_failed or self._now
            made, began, what = entry.looks_failed, entry.look_failed, "waiting for its result, "
        delay = policy.delay(made, retry_after, self._chance)
        why = policy.exhausted(made, (self._now - began) / 1e6, delay)
        if why is not None:
            self.park(entry, f"{what}{why}; the last: {reason}")
            return
        entry.fail(reason)
        self._wait(entry, self._now + int(delay * 1e6))
        self._draft.count("retried", entry)

    # -- where they end

    def expire(self, entry: Entry, by_hand: str = "") -> None:
        if by_hand:
            entry.state = State.EXPIRED
            entry.fail(results.clean(by_hand))
        else:
            entry.expire()
        self._end(entry, "expired", results.expired)
        self._fall_back(entry)

    def park(self, entry: Entry, reason: str) -> None:
        entry.state = State.PARKED
        entry.parked += 1
        entry.progress, entry.looks_failed, entry.look_failed = None, 0, 0
        entry.fail(reason)
        self._end(entry, "parked", results.parked)
        self._alarms.parked(entry)
        self._fall_back(entry)

    def _cancel(self, entry: Entry, reason: str) -> None:
        entry.state = State.CANCELLED
        entry.fail(results.clean(reason))
        self._end(entry, "cancelled", results.cancelled)

    def _end(self, entry: Entry, what: str, event: Callable[[Entry, int], Event]) -> None:
        self._queues.remove(entry)
        entry.ended = self._now
        self._draft.stage(entry)
        self._draft.events.append(event(entry, self._now))
        self._draft.count(what, entry)
        self._next_of(entry)

    def _fall_back(self, entry: Entry) -> None:
        """Once, however often it is redriven and given up."""
        if not entry.fell_back and (event := results.fallback(entry, self._now)) is not None:
            entry.fell_back = True
            self._draft.events.append(event)
            self._draft.count("fell_back", entry)

    # -- where they wait

    def _redrive(self, entry: Entry) -> None:
        """Attempts count on; the retry policy begins anew."""
        entry.attempts_before, entry.round_began = entry.attempts, 0
        entry.state, entry.due = State.PENDING, self._now
        self._draft.stage(entry)
        self._line_up(entry)
        self._draft.count("redriven", entry)

    def _line_up(self, entry: Entry) -> None:
        if ordered(entry.command) and not self._lanes.join(entry):
            entry.due = entry.command.expires_at  # it is looked at then, or when it becomes the head
            if entry.due == NEVER:
                return
        self._queues.add(entry)

    def _next_of(self, entry: Entry) -> None:
        if (following := self._lanes.leave(entry)) is not None:
            self._queues.remove(following)
            following.due = min(self._now, following.command.expires_at)
            self._queues.add(following)

    def _wait(self, entry: Entry, due: int) -> None:
        if entry.progress is not None:
            entry.state = State.WAITING
        else:
            entry.state = State.RETRYING if entry.round_attempts else State.PENDING
        entry.due = min(due, entry.command.expires_at)
        self._queues.add(entry)


def _said_before(entry: Entry, ack: Ack) -> bool:
    """Whether the same was said under the same lease and stored, and the answer to it may have been lost."""
    if entry.state is State.IN_FLIGHT or entry.leased_at != ack.work.leased_at:
        return False
    verdict = ack.outcome.verdict
    if verdict in (Verdict.RETURNED, Verdict.DEFERRED):
        return entry.attempts == ack.work.attempt - 1
    if verdict is Verdict.WAITING:
        return entry.state is State.WAITING
    return bool(entry.history) and entry.history[-1].at == entry.leased_at and entry.history[-1].verdict == verdict


def _micros(seconds: float | None) -> int:
    return int(min(seconds or 0.0, LONGEST_RETRY_AFTER) * 1e6)
