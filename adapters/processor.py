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

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from adapters import arming, ledger, results
from adapters import gates as gate
from adapters.alarm_board import AlarmBoard
from adapters.alarms import Alarms
from adapters.breaker import Switch
from adapters.draft import Draft
from adapters.due_queue import DueQueues, Key
from adapters.errors import FencedError
from adapters.gates import Gates
from adapters.lanes import Lanes, ordered
from adapters.leases import Leases
from adapters.ledger import Entry, State
from adapters.requests import no_target
from adapters.retention import Retention
from adapters.retry import RetryPolicy
from adapters.settling import Settling
from adapters.turn import Ack, Bounds, Turn, Want
from adapters.work import Work
from streams.log import Code, Commit, Lease, Log, LogError
from streams.outputs import Asked, Command
from streams.state import NEVER

DURABLE_WAIT: Final = 50_000
"""Microseconds until a command whose cause is not durable yet is looked at again."""
LENT_WAIT: Final = 100_000
"""Microseconds until a partition that has lent too much outside is asked again."""
MISMATCHES: Final = 3
"""Commits in a row that did not fit what is stored, before it counts as a fault."""


@dataclass(slots=True)
class _Batch:
    """What one commit does, so that it can be repeated."""

    commit: Commit
    draft: Draft


class Delivery:
    """`targets`: what is known of each target that may be named. `chance` draws from [0, 1)."""

    def __init__(
        self,
        log: Log,
        lease: Lease,
        targets: Mapping[str, RetryPolicy],
        chance: Callable[[], float],
        bounds: Bounds | None = None,
        gates: Gates | None = None,
        board: AlarmBoard | None = None,
    ) -> None:
        self._log = log
        self._lease = lease
        self._partition = lease.partition
        self._targets = targets
        self._chance = chance
        self._bounds = bounds or Bounds()
        self._gates = gates or Gates({})
        self._alarms = Alarms(lease.partition, board or AlarmBoard({}))
        self._switches: dict[str, tuple[Switch, Command]] = {}
        """Changes of breakers that are not stored, by target, and whose attempt made them: they survive whatever a turn
        raises."""
        self._acks: list[Ack] = []
        """Taken over and not answered: they survive whatever a turn raises."""
        self._unfinished: _Batch | None = None
        self._finished = Turn()
        """What is stored and not told yet."""
        self._stale = True
        self._mismatches = 0
        self._retention = Retention(log, self._partition, self._bounds.kept)
        self._forget()

    def _forget(self) -> None:
        self._queues = DueQueues(self._targets, self._bounds)
        self._leases = Leases()
        self._durable = 0

    # -- what the caller does

    def turn(self, now: int, acks: Sequence[Ack] = (), wants: Sequence[Want] = ()) -> Turn:
        """Raises FencedError for good; LogUnavailable and others: call again."""
        self._acks += acks
        self._begin(now)
        more = self._refill(now)
        for ack in self._acks:
            self._draft.turn.answers.append((ack, self._settling.acknowledge(ack)))
        self._settling.end_leases()
        more |= self._take_in(now)
        self._expire_passed(now)
        held = {want.target: at for want in wants if (at := self._grant(want, now)) is not None}
        self._retention.step(self._draft, now)
        for switch, command in self._switches.values():
            self._alarms.switched(switch, command)
        self._alarms.step(self._draft, now)
        self._end()
        told, self._finished = self._finished, Turn()
        told.works = [work for work in told.works if work.deadline > now]  # a lease may have run out before it was told
        ready = self._queues.ready(now) - held.keys()
        held |= {target: at for target in ready if (at := self._gates.next_at(self._partition, target, now)) > now}
        told.ready = ready - held.keys()
        soon = min(held.values(), default=NEVER)
        told.next_at = min(
            self._queues.next_due(now), self._leases.next, self._retention.next, self._alarms.next_at(now), soon
        )
        told.more = more or self._stale or self._queues.dry(now)
        return told

    def find(self, ids: Iterable[str]) -> dict[str, Entry]:
        """Those of these commands that this partition decided, as they are stored."""
        return ledger.find(self._log, self._partition, ids)

    # -- one turn, step by step

    def _begin(self, now: int) -> None:
        if self._unfinished is not None:
            self._finish()
        unstored = None
        if self._stale:
            self._forget()
            self._position = self._log.position(self._partition, ledger.DELIVERY)
            rows = self._rows([ledger.CURSOR, *self._gates.rows, *self._alarms.rows])
            row = rows.get(ledger.CURSOR)
            self._read = self._saved = ledger.read_cursor(row) if row is not None else 0
            unstored = self._gates.restore(self._partition, rows)
            self._alarms.restore(rows)
        self._stale = True  # until the end is reached: whatever is raised before it leaves memory half changed
        self._durable_asked = False
        self._draft = Draft(self.find, self._leases, self._switches)
        if unstored is not None:
            self._draft.arm(unstored)
        self._lanes = Lanes(self._draft, self._rows)
        self._settling = Settling(
            self._draft,
            self._lanes,
            self._queues,
            self._leases,
            self._targets,
            self._gates,
            self._alarms,
            self._chance,
            now,
        )

    def _refill(self, now: int) -> bool:
        """Whether there is more to look at. What ends by it ends afterwards: the next of its lane is queued then, and
        the queues are in order only then."""
        ended: list[Entry] = []
        more = self._queues.refill(now, self._open_entries, lambda entry: self._meet(entry, now, ended))
        for entry in map(self._draft.same, ended):
            if entry.command.to in self._targets:
                self._settling.expire(entry)
            else:
                self._settling.park(entry, no_target(entry.command.to))
        return more

    def _rows(self, names: list[str]) -> dict[str, bytes]:
        return self._log.rows(self._partition, ledger.DELIVERY, names)

    def _open_entries(self, after: Key, limit: int) -> list[tuple[Key, Entry | None]]:
        """Open entries in the order they are due; None for those in memory as leased."""
        page = self._log.due(self._partition, ledger.DELIVERY, after, limit)
        entries = self.find(id for _, id in page if id not in self._leases)
        return [(key, entries.get(key[1])) for key in page]

    def _meet(self, entry: Entry, now: int, ended: list[Entry]) -> bool:
        """Whether an entry read from disk may be queued."""
        if entry.command.to not in self._targets:
            ended.append(entry)
            return False
        if entry.state is State.IN_FLIGHT and (
            entry.outside or (entry.epoch == self._lease.epoch and entry.deadline > now)
        ):
            self._leases.hold(entry)
            return False
        if entry.expired(now):
            ended.append(entry)
            return False
        return True

    def _take_in(self, now: int) -> bool:
        """Whether there is more to read."""
        first, outputs = self._log.outputs(self._partition, self._read, self._bounds.page)
        if not outputs:
            return False
        commands = [output for output in outputs if isinstance(output, Command)]
        known = self._rows([command.id for command in commands]) if commands else {}
        self._lanes.expect(filter(ordered, commands))
        due = now - len(commands)  # one microsecond apart, so that they are sent in the order of decision
        for number, output in enumerate(outputs, first):
            if isinstance(output, Command):
                due += 1
                if output.id not in known and output.id not in self._draft:
                    self._settling.note(output, number, due)
            elif isinstance(output, Asked) and output.action == "arm":
                self._arm(int(output.ids[0]), now)
            elif isinstance(output, Asked):
                self._settling.do(output)
        self._read = first + len(outputs) - 1
        return len(outputs) >= self._bounds.page

    def _arm(self, until: int, now: int) -> None:
        """What was confirmed while this process, or the log that it was restored from, was not disarmed yet changes
        nothing."""
        found = arming.confirmed(self._draft.arming or self._gates.arming(self._partition), until, now)
        if found is not None:
            self._draft.arm(found)

    def _expire_passed(self, now: int) -> None:
        """What is in memory; the rest when it comes there, which is no later than it is due."""
        ids = self._queues.expired(now)
        entries = self._draft.find(ids)
        for id in ids:
            self._settling.expire(entries[id])

    def _grant(self, want: Want, now: int) -> int | None:
        """Until when something that is due is held back: because what caused it is not durable yet, too much is lent,
        or the target's gate lets no more through. None where nothing is."""
        limit = min(want.limit, self._bounds.lent - len(self._leases)) if want.outside else want.limit
        if limit <= 0:
            return now + LENT_WAIT
        room = self._gates.reserve(self._partition, want.target, limit, now)
        lent: dict[str, int] = {}
        try:
            held = self._lend_due(want, room, now, lent)
        finally:
            self._gates.lent(want.target, lent, room, now)
        if room < limit and want.target in self._queues.ready(now):
            shut = self._gates.next_at(self._partition, want.target, now)
            held = shut if held is None else min(held, shut)
        return held

    def _lend_due(self, want: Want, limit: int, now: int, lent: dict[str, int]) -> int | None:
        """Notes in `lent` what is leased, and until when. Answers until when something is held back that is not durable
        yet."""
        policy = self._targets[want.target]
        ids = self._queues.take(want.target, now, limit)
        entries = self._draft.find(ids)
        held: int | None = None
        for id in ids:
            entry = entries[id]
            if entry.expired(now):
                self._settling.expire(entry)
            elif entry.round_attempts >= policy.attempts and entry.progress is None:
                self._settling.park(entry, f"gave up after {entry.round_attempts} attempts that never answered")
            elif self._is_durable(entry.command.offset):
                self._lend(entry, want, now)
                lent[id] = entry.deadline
            else:
                self._queues.add(entry)
                held = now + DURABLE_WAIT
        return held

    def _is_durable(self, offset: int) -> bool:
        if offset > self._durable and not self._durable_asked:
            self._durable = self._log.durable(self._partition)
            self._durable_asked = True
        return offset <= self._durable

    def _lend(self, entry: Entry, want: Want, now: int) -> None:
        deadline = now + int(want.ttl * 1e6) + entry.timeout
        entry.state = State.IN_FLIGHT
        entry.attempts += 1
        entry.first_attempt = entry.first_attempt or now
        entry.round_began = entry.round_began or now
        entry.epoch, entry.outside = self._lease.epoch, want.outside
        entry.leased_at, entry.deadline = max(now, entry.leased_at + 1), deadline
        self._draft.stage(entry)
        self._leases.hold(entry)
        command = entry.command
        body = msgspec.json.encode(ledger.document(command))
        left = msgspec.json.encode(entry.progress) if entry.progress is not None else b""
        timeout = entry.timeout / 1e6
        work = Work(
            command.id,
            entry.attempts,
            command.to,
            body,
            deadline,
            self._partition,
            timeout,
            progress=left,
            leased_at=entry.leased_at,
            attempts_before=entry.attempts_before,
        )
        self._draft.turn.works.append(work)

    # -- the commit

    def _end(self) -> None:
        for target, (switch, _) in self._switches.items():
            self._draft.row(*gate.stored(target, switch))
            self._draft.events.append(results.switched(target, switch))
        changes = self._draft.changes()
        if changes or self._read - self._saved >= self._bounds.unsaved:
            if self._read > self._saved:
                changes.append(ledger.cursor(self._read))
                self._saved = self._read
            end = self._position + 1
            events = self._draft.events
            commit = Commit(self._lease, ledger.DELIVERY, self._position, end, changes, events=events)
            self._unfinished = _Batch(commit, self._draft)
        else:
            self._tell(self._draft.turn)
        del self._draft, self._lanes, self._settling
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
        self._switches.clear()
        self._position = batch.commit.end
        self._alarms.stored()
        for target, pause in batch.draft.pauses.items():
            self._gates.pause(self._partition, target, pause)
        if batch.draft.arming is not None:
            self._gates.arm(self._partition, batch.draft.arming)
        self._tell(batch.draft.turn)

    def _tell(self, turn: Turn) -> None:
        answered = {ack for ack, _ in turn.answers}
        self._acks = [ack for ack in self._acks if ack not in answered]
        self._finished.merge(turn)
