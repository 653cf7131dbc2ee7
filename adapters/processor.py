"""Delivery of one partition: from outputs to ledger, leases and outcomes, all in commits of its own.

A *turn* notes what became of leased commands, reads new outputs (commands, and what people ask for them), gives leases,
and makes one commit of it. What it hands out is handed out after the commit: nothing is sent that the ledger does not
know of. The caller (`desk.py`) runs one turn at a time, in any thread. Clock and chance are handed in; the log is the
only thing that blocks.

An exception out of a turn leaves nothing half done: call again with a later time. Acknowledgements given to a turn that
failed are kept. A commit whose answer was lost is repeated as it was (`done` is success); one that does not fit what is
stored (`mismatch`) makes the next turn read everything anew.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import Final

import msgspec

from adapters import ledger, results
from adapters.due_queue import DueQueues, Key
from adapters.errors import FencedError
from adapters.ledger import OPEN, Entry, State
from adapters.requests import may_cancel, may_redrive, no_target
from adapters.retry import LONGEST_RETRY_AFTER, RetryPolicy
from adapters.turn import Ack, Bounds, Turn, Want
from adapters.work import Outcome, Verdict, Work
from streams.event import Event
from streams.log import Code, Commit, Lease, Log, LogError
from streams.outputs import Asked, Command
from streams.state import NEVER

DURABLE_WAIT: Final = 50_000
"""Microseconds until a command whose cause is not durable yet is looked at again."""
FORGOTTEN: Final = 1_000
"""Leases that are over may stay in the heap of deadlines, so many more than run: one slow lease holds back the rest."""
MISMATCHES: Final = 3
"""Commits in a row that did not fit what is stored, before it counts as a fault."""


@dataclass(slots=True)
class _Batch:
    """What one commit does, so that it can be repeated."""

    commit: Commit
    turn: Turn


class Delivery:
    """`targets`: what is known of each target that may be named. `chance` draws from [0, 1)."""

    def __init__(
        self,
        log: Log,
        lease: Lease,
        targets: Mapping[str, RetryPolicy],
        chance: Callable[[], float],
        bounds: Bounds | None = None,
    ) -> None:
        self._log = log
        self._lease = lease
        self._partition = lease.partition
        self._targets = targets
        self._chance = chance
        self._bounds = bounds or Bounds()
        self._acks: list[Ack] = []
        """Taken over and not answered: they survive whatever a turn raises."""
        self._unfinished: _Batch | None = None
        self._finished = Turn()
        """What is stored and not told yet."""
        self._stale = True
        self._mismatches = 0
        self._forget()

    def _forget(self) -> None:
        self._queues = DueQueues(self._targets, self._bounds)
        self._in_flight: dict[str, Entry] = {}
        self._deadlines: list[tuple[int, str]] = []
        """Heap of (deadline, id) of leases; those that are over are skipped, and dropped when they are the most."""
        self._staged: dict[str, Entry] = {}
        self._events: list[Event] = []
        self._turn = Turn()
        self._durable = 0

    # -- what the caller does

    def turn(self, now: int, acks: Sequence[Ack] = (), wants: Sequence[Want] = ()) -> Turn:
        """Raises FencedError for good; LogUnavailable and others: call again."""
        self._acks += acks
        self._begin()
        self._durable_asked = False
        more = self._refill(now)
        for ack in self._acks:
            self._turn.answers.append((ack, self._acknowledge(ack, now)))
        self._end_leases(now)
        more |= self._take_in(now)
        self._expire_passed(now)
        held = {want.target for want in wants if self._grant(want, now)}
        self._end()
        told, self._finished = self._finished, Turn()
        told.works = [work for work in told.works if work.deadline > now]  # a lease may have run out before it was told
        told.ready = self._queues.ready(now) - held
        told.next_at = min(self._queues.next_due(now), self._next_deadline(), now + DURABLE_WAIT if held else NEVER)
        told.more = more or self._stale or self._queues.dry(now)
        return told

    def find(self, ids: Sequence[str]) -> dict[str, Entry]:
        """Those of these commands that this partition decided, as they are stored."""
        return ledger.find(self._log, self._partition, ids)

    # -- one turn, step by step

    def _begin(self) -> None:
        if self._unfinished is not None:
            self._finish()
        if self._stale:
            self._forget()
            self._position = self._log.position(self._partition, ledger.DELIVERY)
            row = self._log.rows(self._partition, ledger.DELIVERY, [ledger.CURSOR]).get(ledger.CURSOR)
            self._read = self._saved = ledger.read_cursor(row) if row is not None else 0
        self._stale = True  # until the end is reached: whatever is raised before it leaves memory half changed

    def _refill(self, now: int) -> bool:
        """Whether there is more to look at."""
        return self._queues.refill(now, self._open_entries, lambda entry: self._meet(entry, now))

    def _open_entries(self, after: Key, limit: int) -> list[tuple[Key, Entry | None]]:
        """Open entries in the order they are due; None for those in memory as leased."""
        page = self._log.due(self._partition, ledger.DELIVERY, after, limit)
        entries = self.find([id for _, id in page if id not in self._in_flight])
        return [(key, entries.get(key[1])) for key in page]

    def _meet(self, entry: Entry, now: int) -> bool:
        """Whether an entry read from disk may be queued."""
        if entry.command.to not in self._targets:
            self._park(entry, no_target(entry.command.to), now)
            return False
        if entry.state is State.IN_FLIGHT and entry.epoch == self._lease.epoch and entry.deadline > now:
            self._hold(entry)
            return False
        if entry.expired(now):
            self._expire(entry, now)
            return False
        return True

    def _acknowledge(self, ack: Ack, now: int) -> bool:
        work, outcome = ack.work, ack.outcome
        entry = self._staged.get(work.id) or self._in_flight.get(work.id) or self.find([work.id]).get(work.id)
        if entry is None or entry.state not in OPEN:
            return False
        lease = (entry.attempts, entry.deadline)
        held = entry.state is State.IN_FLIGHT and lease == (work.attempt, work.deadline)
        if not held and outcome.verdict is not Verdict.DONE:
            return False  # somebody else has it now; but that it was done is true whoever says so
        self._in_flight.pop(work.id, None)
        self._queues.remove(entry)
        self._staged[work.id] = entry
        if outcome.verdict is Verdict.RETURNED:
            self._give_back(entry, entry.due)
            return True
        if outcome.verdict is Verdict.DEFERRED:
            self._give_back(entry, now + _micros(outcome.retry_after))
            return True
        entry.last_attempt = now
        reason = results.clean(outcome.reason)
        match outcome.verdict:
            case Verdict.DONE:
                entry.state, entry.result, entry.last_error = State.DONE, results.plain(outcome.result), ""
                entry.progress = None
                self._events.append(results.succeeded(entry, now))
                self._count("done", entry)
            case Verdict.FINAL:
                entry.result = results.plain(outcome.result)
                self._park(entry, reason, now)
            case Verdict.RETRY:
                self._try_again(entry, reason, outcome.retry_after, now)
            case Verdict.WAITING:
                self._await_result(entry, outcome, now)
        return True

    def _await_result(self, entry: Entry, outcome: Outcome, now: int) -> None:
        if entry.expired(now):
            self._expire(entry, now)
            return
        if entry.progress is not None:
            self._uncount(entry)  # the attempt that reached the target is counted
        if outcome.progress is not None or entry.progress is None:
            entry.progress = results.plain(outcome.progress if outcome.progress is not None else {})
        self._wait(entry, now + _micros(outcome.retry_after))
        self._count("waiting", entry)

    def _uncount(self, entry: Entry) -> None:
        entry.attempts -= 1
        if entry.round_attempts == 0:
            entry.round_began = 0
        if entry.attempts == 0:
            entry.first_attempt = 0

    def _give_back(self, entry: Entry, due: int) -> None:
        self._uncount(entry)
        self._wait(entry, due)
        self._count("returned", entry)

    def _try_again(self, entry: Entry, reason: str, retry_after: float | None, now: int) -> None:
        policy = self._targets.get(entry.command.to)
        if policy is None:
            self._park(entry, no_target(entry.command.to), now)
            return
        if entry.expired(now):
            entry.fail(reason)
            self._expire(entry, now)
            return
        delay = policy.delay(entry.round_attempts, retry_after, self._chance)
        why = policy.exhausted(entry.round_attempts, (now - entry.round_began) / 1e6, delay)
        if why is not None:
            self._park(entry, f"{why}; the last: {reason}", now)
            return
        entry.fail(reason)
        self._wait(entry, now + int(delay * 1e6))
        self._count("retried", entry)

    def _wait(self, entry: Entry, due: int) -> None:
        if entry.progress is not None:
            entry.state = State.WAITING
        else:
            entry.state = State.RETRYING if entry.round_attempts else State.PENDING
        entry.due = min(due, entry.command.expires_at)
        self._queues.add(entry)

    def _expire_passed(self, now: int) -> None:
        """What is in memory; the rest when it comes there, which is no later than it is due."""
        ids = self._queues.expired(now)
        stored = self.find([id for id in ids if id not in self._staged])
        for id in ids:
            entry = self._staged.get(id) or stored[id]
            self._queues.remove(entry)
            self._expire(entry, now)

    def _expire(self, entry: Entry, now: int) -> None:
        entry.expire()
        self._staged[entry.command.id] = entry
        self._events.append(results.expired(entry, now))
        self._count("expired", entry)

    def _park(self, entry: Entry, reason: str, now: int) -> None:
        entry.state = State.PARKED
        entry.parked += 1
        entry.fail(reason)
        self._staged[entry.command.id] = entry
        self._events.append(results.parked(entry, now))
        self._count("parked", entry)

    def _end_leases(self, now: int) -> None:
        """Leases that ran out count as attempts: what kills its worker every time is parked in the end."""
        while self._next_deadline() <= now:
            entry = self._in_flight.pop(heappop(self._deadlines)[1])
            self._staged[entry.command.id] = entry
            entry.last_attempt = now
            self._count("lease_expired", entry)
            self._try_again(entry, "its lease ran out without an answer", None, now)

    def _next_deadline(self) -> int:
        heap = self._deadlines
        while heap and not self._runs(heap[0]):
            heappop(heap)
        return heap[0][0] if heap else NEVER

    def _runs(self, lease: tuple[int, str]) -> bool:
        """Whether it is neither answered nor, having been given back, replaced by a later one."""
        entry = self._in_flight.get(lease[1])
        return entry is not None and entry.deadline == lease[0]

    def _take_in(self, now: int) -> bool:
        first, outputs = self._log.outputs(self._partition, self._read, self._bounds.page)
        if not outputs:
            return False
        ids = [output.id for output in outputs if isinstance(output, Command)]
        known = self._log.rows(self._partition, ledger.DELIVERY, ids) if ids else {}
        due = now - len(ids)  # one microsecond apart, so that they are sent in the order of decision
        for number, output in enumerate(outputs, first):
            if isinstance(output, Command):
                due += 1
                if output.id not in known and output.id not in self._staged:
                    self._note(Entry(output, number, due=due), now)
            elif isinstance(output, Asked):
                self._do(output, now)
        self._read = first + len(outputs) - 1
        return len(outputs) >= self._bounds.page

    def _note(self, entry: Entry, now: int) -> None:
        command = entry.command
        self._staged[command.id] = entry
        if command.shadow:
            entry.state = State.SHADOW
        elif entry.expired(now):
            self._expire(entry, now)
        elif command.to in self._targets:
            self._queues.add(entry)
        else:
            self._park(entry, no_target(command.to), now)
        self._count("taken_in", entry)

    def _do(self, asked: Asked, now: int) -> None:
        """For those whose state allows it by now; asked twice, or read again, the second time changes nothing."""
        stored = self.find([id for id in asked.ids if id not in self._staged])
        for id in asked.ids:
            entry = self._staged.get(id) or stored.get(id)
            if entry is None:
                continue
            if asked.action == "redrive" and may_redrive(entry, self._targets):
                self._redrive(entry, now)
            elif asked.action == "cancel" and may_cancel(entry):
                self._cancel(entry, asked.reason, now)

    def _redrive(self, entry: Entry, now: int) -> None:
        """Attempts count on; the retry policy begins anew."""
        entry.attempts_before, entry.round_began, entry.progress = entry.attempts, 0, None
        entry.state, entry.due = State.PENDING, now
        self._staged[entry.command.id] = entry
        self._queues.add(entry)
        self._count("redriven", entry)

    def _cancel(self, entry: Entry, reason: str, now: int) -> None:
        self._queues.remove(entry)
        entry.state = State.CANCELLED
        entry.fail(results.clean(reason))
        self._staged[entry.command.id] = entry
        self._events.append(results.cancelled(entry, now))
        self._count("cancelled", entry)

    def _grant(self, want: Want, now: int) -> bool:
        """Whether something was held back because what caused it is not durable yet."""
        policy = self._targets[want.target]
        ids = self._queues.take(want.target, now, want.limit)
        missing = [id for id in ids if id not in self._staged]
        entries = self.find(missing) if missing else {}
        waiting = False
        for id in ids:
            entry = self._staged.get(id) or entries[id]
            if entry.expired(now):
                self._expire(entry, now)
            elif entry.round_attempts >= policy.attempts and entry.progress is None:
                self._park(entry, f"gave up after {entry.round_attempts} attempts that never answered", now)
            elif self._is_durable(entry.command.offset):
                self._lend(entry, now, now + int(want.ttl * 1e6) + entry.timeout)
            else:
                self._queues.add(entry)
                waiting = True
        return waiting

    def _is_durable(self, offset: int) -> bool:
        if offset > self._durable and not self._durable_asked:
            self._durable = self._log.durable(self._partition)
            self._durable_asked = True
        return offset <= self._durable

    def _lend(self, entry: Entry, now: int, deadline: int) -> None:
        entry.state = State.IN_FLIGHT
        entry.attempts += 1
        entry.first_attempt = entry.first_attempt or now
        entry.round_began = entry.round_began or now
        entry.epoch = self._lease.epoch
        entry.deadline = deadline
        self._staged[entry.command.id] = entry
        self._hold(entry)
        command = entry.command
        body = msgspec.json.encode(ledger.document(command))
        left = msgspec.json.encode(entry.progress) if entry.progress is not None else b""
        timeout = entry.timeout / 1e6
        work = Work(command.id, entry.attempts, command.to, body, deadline, self._partition, timeout, progress=left)
        self._turn.works.append(work)

    def _hold(self, entry: Entry) -> None:
        self._in_flight[entry.command.id] = entry
        heappush(self._deadlines, (entry.deadline, entry.command.id))
        if len(self._deadlines) > 2 * len(self._in_flight) + FORGOTTEN:
            self._deadlines = sorted(filter(self._runs, self._deadlines))

    def _count(self, what: str, entry: Entry) -> None:
        name = f"{what}|{entry.command.to}"
        self._turn.counts[name] = self._turn.counts.get(name, 0) + 1

    # -- the commit

    def _end(self) -> None:
        changes = [entry.change() for entry in self._staged.values()]
        if changes or self._read - self._saved >= self._bounds.unsaved:
            if self._read > self._saved:
                changes.append(ledger.cursor(self._read))
                self._saved = self._read
            end = self._position + 1
            commit = Commit(self._lease, ledger.DELIVERY, self._position, end, changes, events=self._events)
            self._unfinished = _Batch(commit, self._turn)
        else:
            self._tell(self._turn)
        self._turn, self._staged, self._events = Turn(), {}, []
        self._stale = False
        if self._unfinished is not None:
            self._finish()

    def _finish(self) -> None:
        batch = self._unfinished
        assert batch is not None
        code = self._log.commit(batch.commit)
        if code is Code.FENCED:
            raise FencedError(f"partition {self._partition} has another owner now")
        self._unfinished = None
        if code is Code.MISMATCH:
            self._stale = True
            self._mismatches += 1
            if self._mismatches > MISMATCHES:
                raise LogError(f"delivery's position in partition {self._partition} moves though it is ours alone")
            return
        self._mismatches = 0
        self._position = batch.commit.end
        self._tell(batch.turn)

    def _tell(self, turn: Turn) -> None:
        answered = {ack for ack, _ in turn.answers}
        self._acks = [ack for ack in self._acks if ack not in answered]
        self._finished.merge(turn)


def _micros(seconds: float | None) -> int:
    return int(min(seconds or 0.0, LONGEST_RETRY_AFTER) * 1e6)
