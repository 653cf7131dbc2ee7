"""One partition at work: read events, evaluate, commit, and again. The agent drives it, and so does verification.

A worker is the whole determinism of the system: what it commits is a pure function of the events of its partition,
whatever the batches were, so running one over a copy of the events in memory must give the same rows and outputs. It
appends nothing and asks no clock. One thread.

A read is evaluated in pieces, each of which ends in one commit: runs of events, and single control events (ticks,
modes, activations, unparks, what people ask) between them. Within a run duplicates are dropped, events of blocked keys
wait, and the processor sees the rest.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from typing import Final

import msgspec

from streams.cells import Cells
from streams.copies import Copies
from streams.due import DueIndex
from streams.event import (
    ACTIVATED,
    ALARM,
    ARMING,
    CANCELLING,
    CLOSED,
    EXPIRING,
    FALLBACK,
    FORKED,
    MODE,
    OPENED,
    PAUSING,
    REDRIVEN,
    RESUMING,
    SKIPPED,
    TICK,
    UNDECODABLE,
    UNPARKED,
    Event,
)
from streams.fingerprints import Fingerprints
from streams.log import Batch, Code, Commit, Lease, Log, LogError, Read, Rows
from streams.outputs import Asked, Decision, Output, read_instead
from streams.park import Park
from streams.processor import Partition, Poisoned, Processor, Step
from streams.state import CELL, COPY, FINGERPRINTS, PARTITION, Cell, Change
from streams.talk import Talk, alone

RULES: Final = "rules"
"""The name under which evaluation commits."""

FEW: Final = 4
"""Events of a turn after one that held poison, so that a flood of it keeps other partitions waiting for a few commits
only; doubled by each turn without."""
_TOLD: Final = frozenset((FORKED, OPENED, CLOSED))
_DECIDED: Final = frozenset((FALLBACK, ALARM))
_ASKED: Final = frozenset((REDRIVEN, CANCELLING, EXPIRING, PAUSING, RESUMING, ARMING))
_SINGLE: Final = frozenset((TICK, MODE, ACTIVATED, UNPARKED, SKIPPED)) | _ASKED | _TOLD | _DECIDED
_NOTHING: Final = Batch((), [])
_partitions: Final = msgspec.msgpack.Decoder(Partition)
_encode: Final = msgspec.msgpack.Encoder().encode


class Fenced(LogError):
    """Another owner has the partition now; nothing was committed."""


class Worker:
    """`processors` gives the compiled rule set of a digest, and raises for one that cannot be had."""

    def __init__(
        self,
        log: Log,
        lease: Lease,
        processors: Callable[[str], Processor],
        *,
        budget: int,
        committed: Callable[[int, list[Output]], None] | None = None,
        meanwhile: Callable[[], None] = lambda: None,
    ) -> None:
        """`budget` bytes for cells. `committed` is told (number of the first, outputs) after each commit. `meanwhile`
        is called again and again while this is made, which may take longer than a lease lasts."""
        self.partition = lease.partition
        self.lease = lease
        self.position = log.position(lease.partition, RULES)
        self.counts: dict[str, int] = {}
        """Counters since the start of this worker: `Step.counts` and `events`, `duplicates`, `parked`, `waiting`."""
        self.reasons: dict[str, str] = {}
        self.caught_up = False
        """Whether the last turn handled all that there was."""
        self._log = log
        self._processors = processors
        self._committed = committed
        self._cells = Cells(lease.partition, budget)
        self.due = DueIndex(log, lease.partition, RULES)
        stored = log.rows(lease.partition, RULES, [PARTITION]).get(PARTITION)
        self.state = _partitions.decode(stored) if stored is not None else Partition()
        self._stored_state = stored
        rows = _all_rows(log, lease.partition, FINGERPRINTS)
        self._fingerprints = Fingerprints(self.state.remembered, rows, meanwhile)
        self._copies = self._stored_copies()
        self._park = Park(log, lease.partition, RULES)
        self._numbers = next((s.outputs for s in log.status() if s.partition == lease.partition), 0)
        self._processor = processors(self.state.rules) if self.state.rules else None
        self._most: int | None = None
        """Events of a turn, while there is poison."""
        self._page = _NOTHING
        """What was read and is not all handled: entries of a log are long, and a short turn takes little of one."""

    @property
    def processor(self) -> Processor | None:
        """The active rule set; None before the first activation."""
        return self._processor

    @property
    def blocked(self) -> int:
        """How many keys wait behind a parked event."""
        return len(self._park.keys)

    def blocks(self, key: str) -> bool:
        """Whether events of this key wait behind a parked one."""
        return key in self._park.keys

    @property
    def freed(self) -> str | None:
        """A key that is being freed: append `orchestrator.key.unparked` for it."""
        return self._park.freed

    def work(self, limit: int) -> int:
        """A turn by itself."""
        return alone(self._log, self.turn(limit))

    def turn(self, limit: int) -> Talk[int]:
        """Evaluates and commits about `limit` events, fewer while there is poison; how many it looked at. 0: there are
        none. Raises Fenced and LogError, or is not led to its end; then this worker is of no more use: make a new one.
        """
        most = limit if self._most is None else min(self._most, limit)
        page = self._page
        at = bisect_right(page.offsets, self.position)
        fresh = at == len(page.events)
        if fresh:
            page, at = (yield Read(self.partition, self.position, most)), 0
        batch = page
        if self._most is not None:
            batch = Batch(page.offsets[at : at + most], page.events[at : at + most])
            self._most = most * 2 if most < limit else None
        elif at:
            batch = Batch(page.offsets[at:], page.events[at:])
        for piece in _pieces(batch):
            yield from self._piece(piece)
            if self.position < piece.offsets[-1]:
                break
        left = bool(page.events) and self.position < page.offsets[-1]
        self._page = page if left else _NOTHING
        self.caught_up = fresh and not left and len(page.events) < most
        return len(batch.events)

    def _piece(self, piece: Batch) -> Talk[None]:
        first = piece.events[0]
        end = piece.offsets[-1]
        if first.type == TICK:
            yield from self._tick(first, end)
        elif first.type in _SINGLE:
            yield from self._control(first, end)
        else:
            yield from self._run(piece, end, [])

    # ------------------------------------------------------------ runs

    def _run(self, run: Batch, end: int, decisions: list[Output], *, freed: str | None = None) -> Talk[None]:
        """Evaluates and commits a run; of a long one that holds poison only what is up to it. `freed`: the key in
        whose park it waited; fingerprints are remembered."""
        rest: Batch | None = run
        while rest is not None:
            try:
                step, prints = yield from self._evaluated(rest, decisions, freed)
            except Poisoned as poison:
                rest = yield from self._poisoned(rest, end, decisions, poison, freed)
                decisions = []
                self._most = FEW
                if rest is not None and len(rest.events) > FEW:
                    return
                continue
            if freed is not None:
                self._park.advance(freed, len(rest.events))
            self._count("events", len(rest.events))
            yield from self._commit(end, step, self._fingerprints.remember(prints))
            return

    def _evaluated(self, run: Batch, decisions: list[Output], freed: str | None) -> Talk[tuple[Step, list[int]]]:
        step = Step(self.state, {}, None, self._copies)
        step.outputs.extend(decisions)
        admitted, prints = self._admitted(run, step) if freed is None else (run, [])
        if self._processor is not None and admitted.events:
            step.cells = yield from self._loaded(self._processor.keys(admitted))
            self._processor.step(admitted, step)
        return step, prints

    def _loaded(self, keys: Iterable[str]) -> Talk[dict[str, Cell]]:
        if missing := self._cells.missing(keys):
            self._cells.fill(missing, (yield Rows(self.partition, RULES, [CELL + key for key in missing])))
        return self._cells.loaded

    def _admitted(self, run: Batch, step: Step) -> tuple[Batch, list[int]]:
        """The events to evaluate, and the fingerprints to remember: also those of events that wait."""
        events = run.events
        prints = [event.fingerprint for event in events if event.fingerprint]
        duplicates = self._fingerprints.duplicates(prints)
        blocked = self._park.keys
        if not blocked and not duplicates and len(prints) == len(events):
            return run, prints
        offsets: list[int] = []
        admitted: list[Event] = []
        counts = step.counts
        place = -1
        for event, offset in zip(events, run.offsets, strict=True):
            place += event.fingerprint != 0
            if event.fingerprint and place in duplicates:
                counts["duplicates"] = counts.get("duplicates", 0) + 1
            elif event.type == UNDECODABLE:
                counts["parked"] = counts.get("parked", 0) + 1
                step.outputs.append(Decision("parked", offset, "", "", "", bytes(event.data).decode()))
            elif event.key in blocked:
                counts["waiting"] = counts.get("waiting", 0) + 1
                self._park.wait(event.key, offset)
            else:
                offsets.append(offset)
                admitted.append(event)
        return Batch(offsets, admitted), [value for place, value in enumerate(prints) if place not in duplicates]

    def _poisoned(
        self, run: Batch, end: int, decisions: list[Output], poison: Poisoned, freed: str | None
    ) -> Talk[Batch | None]:
        """What came before the event is evaluated anew from what is committed and the event is parked. Answers what is
        behind it and not committed yet: each event is evaluated at most twice for each poisoned one."""
        self._cells.discard()
        if self._copies.changed:
            self._copies = self._stored_copies()
        self._park.discard()
        if run.events and run.events[0].type == TICK:
            raise LogError(f"partition {self.partition}: a deadline cannot be fired: {poison.reason}") from poison
        at = list(run.offsets).index(poison.offset)
        before = Batch(run.offsets[:at], run.events[:at])
        behind = Batch(run.offsets[at + 1 :], run.events[at + 1 :])
        event = run.events[at]
        step, prints = yield from self._evaluated(before, decisions, freed)
        step.outputs.append(Decision("parked", poison.offset, event.key, event.source, event.id, poison.reason))
        self._count("parked")
        self._count("events", at + 1)
        if freed is not None:
            self._park.advance(freed, self._park.offsets(freed).index(poison.offset))
            self._park.park_again(freed, poison.reason)
            yield from self._commit(end, step, [])
            return None
        self._park.block(event.key, poison.reason, poison.offset)
        if event.fingerprint:
            prints.append(event.fingerprint)
        remembered = self._fingerprints.remember(prints)
        if not behind.events:
            yield from self._commit(end, step, remembered)
            return None
        yield from self._commit(poison.offset, step, remembered)
        return behind

    # ------------------------------------------------------------ control events

    def _tick(self, tick: Event, offset: int) -> Talk[None]:
        limit = msgspec.json.decode(tick.data)["limit"]
        due = self.due.before(tick.time, limit)
        step = Step(self.state, (yield from self._loaded(key for _, key in due)), due, self._copies)
        if self._processor is None:
            self.state.tick = max(self.state.tick, tick.time)
        else:
            self._processor.step(Batch([offset], [tick]), step)
        self._count("ticks")
        yield from self._commit(offset, step, [])

    def _control(self, event: Event, offset: int) -> Talk[None]:
        data = msgspec.json.decode(event.data)
        step = Step(self.state, {})
        if event.type == MODE:
            self.state.importing = data["importing"]
        elif event.type == ACTIVATED:
            self._processor = self._processors(data["digest"])
            self.state.rules = data["digest"]
        elif event.type in _TOLD:
            pass  # for readers of the log; what is evaluated follows from the log as it is now
        elif event.type == REDRIVEN:
            step.outputs.append(Asked("redrive", tuple(data["ids"]), offset=offset))
        elif event.type in _DECIDED:
            step.outputs += read_instead(event.data).put_out(event.time, offset)
        elif event.type == CANCELLING:
            step.outputs.append(Asked("cancel", tuple(data["ids"]), data["reason"], offset))
        elif event.type == EXPIRING:
            step.outputs.append(Asked("expire", tuple(data["ids"]), data["reason"], offset))
        elif event.type == PAUSING:
            step.outputs.append(Asked("pause", (data["target"],), data["reason"], offset))
        elif event.type == RESUMING:
            step.outputs.append(Asked("resume", (data["target"],), offset=offset))
        elif event.type == ARMING:
            step.outputs.append(Asked("arm", (str(data["until"]),), offset=offset))
        else:
            yield from self._unpark(event, offset)
            return
        yield from self._commit(offset, step, [])

    def _unpark(self, event: Event, end: int) -> Talk[None]:
        """The parked event of a key is evaluated, or skipped, and then a bounded number of those that wait."""
        key = event.key
        offsets = self._park.offsets(key)
        decisions: list[Output] = []
        if not offsets:
            yield from self._commit(end, Step(self.state, {}), [])
            return
        if event.type == SKIPPED:
            decisions.append(Decision("skipped", offsets[0], key, event.source, event.id, "skipped by hand"))
            self._park.advance(key, 1)
            offsets = offsets[1:]
        events = self._log.fetch(self.partition, offsets) if offsets else []
        yield from self._run(Batch(offsets, events), end, decisions, freed=key if offsets else None)

    # ------------------------------------------------------------ commit

    def _commit(self, end: int, step: Step, remembered: list[Change]) -> Talk[None]:
        changes = self._cells.changes(step.dirty) if step.dirty else []
        changes += self._copies.changes()
        changes += remembered
        changes += self._park.changes()
        self.state.remembered = self._fingerprints.remembered
        state = _encode(self.state)
        if state != self._stored_state:
            changes.append(Change(PARTITION, state))
        code = yield Commit(self.lease, RULES, self.position, end, changes, step.outputs)
        if code is Code.FENCED:
            raise Fenced(f"partition {self.partition} belongs to another owner now")
        if code is Code.MISMATCH:
            raise LogError(f"partition {self.partition} is not at {self.position}, where this worker left it")
        self._stored_state = state
        self.position = end
        self.due.committed(changes)
        self._cells.committed()
        self._copies.committed()
        first = self._numbers + 1
        self._numbers += len(step.outputs)
        for name, count in step.counts.items():
            self._count(name, count)
        self.reasons.update(step.reasons)
        if self._committed is not None and step.outputs:
            self._committed(first, step.outputs)

    def _stored_copies(self) -> Copies:
        return Copies(_all_rows(self._log, self.partition, COPY))

    def _count(self, name: str, by: int = 1) -> None:
        self.counts[name] = self.counts.get(name, 0) + by


def _pieces(batch: Batch) -> Iterator[Batch]:
    if batch.events and _SINGLE.isdisjoint({event.type for event in batch.events}):
        yield batch
        return
    begin = 0
    for i, event in enumerate(batch.events):
        if event.type in _SINGLE:
            if begin < i:
                yield Batch(batch.offsets[begin:i], batch.events[begin:i])
            yield Batch(batch.offsets[i : i + 1], batch.events[i : i + 1])
            begin = i + 1
    if begin < len(batch.events):
        yield Batch(batch.offsets[begin:], batch.events[begin:])


def _all_rows(log: Log, partition: int, prefix: str) -> Iterator[tuple[str, bytes]]:
    after = ""
    while rows := log.scan(partition, RULES, prefix, after, 1000):
        yield from rows
        after = rows[-1][0]
