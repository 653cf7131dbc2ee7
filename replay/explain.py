"""`orchestrator rules explain`: an event of a file, or of the log, as the rules met it.

Of a log the event's partition is replayed up to the event, by the worker that live agents use, into memory; an event
that other keys were concerned with is looked up where it was forwarded to, and met there as it was then. Reads
snapshots, changes nothing, sends nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import msgspec

from replay.event_file import EventFileError, lines
from replay.scratch import ScratchLog
from rules.explain.explainer import Explainer, Known
from rules.explain.explanation import Explained
from rules.explain.simulated import known
from rules.processor import RulesProcessor
from rules.simulation import Simulation
from streams.copies import Copies
from streams.event import FORWARDED, TICK, Event, Forwarded
from streams.intake import Intake, IntakeError
from streams.keys import partition_of
from streams.log import Lease, Log
from streams.processor import Poisoned
from streams.state import CELL, COPY, Cell, decode_cell
from streams.worker import RULES, Worker

_PAGE = 5_000
_CACHE = 64 << 20
_INTAKE = Intake(max_ahead=None, ticks=True)
_forwarded = msgspec.json.Decoder(Forwarded).decode

Progress = Callable[[float, float], None]


class ExplainError(Exception):
    """The event is not there, or cannot be explained."""


@dataclass(frozen=True, slots=True)
class Found:
    """An explanation, and what else there is to say of how the event was met."""

    explained: Explained
    place: str
    """Where it stands: a line of a file, a position of the log."""
    notes: tuple[str, ...] = ()


# ---------------------------------------------------------------- files


def in_file(
    processor: RulesProcessor, history: Path | None, wanted: str | Event, source: str | None, only: str | None
) -> Found:
    """The event of this id in the file, after all before it; or an event of its own, after the whole file, if there is
    one. Raises ExplainError."""
    simulation = Simulation(processor)
    explainer = Explainer(processor.ruleset)
    number = 0
    if history is not None:
        try:
            with history.open("rb") as file:
                for number, line in lines(file, _INTAKE.max_bytes):
                    if not line or line.isspace():
                        continue
                    event = _INTAKE.from_json(line, None)
                    if event.id == wanted and source in (None, event.source):
                        return Found(_met(explainer, simulation, event, only), f"line {number} of {history}")
                    simulation.event(event)
        except (EventFileError, IntakeError, Poisoned) as error:
            raise ExplainError(f"{history}, line {number}: {error}") from error
        except OSError as error:
            raise ExplainError(f"{history}: {error.strerror or error}") from error
    if isinstance(wanted, str):
        raise ExplainError(f"there is no event `{wanted}` in {history}")
    return Found(_met(explainer, simulation, wanted, only), f"after {number:,} lines" if history else "without history")


def _met(explainer: Explainer, simulation: Simulation, event: Event, only: str | None) -> Explained:
    if event.type == TICK:
        raise ExplainError("a tick moves clocks; rules do not see it")
    simulation.approach(event)
    try:
        return explainer.explain(event, known(simulation), only)
    except (msgspec.DecodeError, RecursionError) as error:
        raise ExplainError(f"its data are no JSON: {error}") from error


# ---------------------------------------------------------------- the log


def in_log(
    log: Log,
    id: str,
    source: str | None,
    load: Callable[[str], RulesProcessor],
    only: str | None,
    progress: Progress = lambda done, total: None,
) -> Found:
    """The first event of this id in the log. `load` gives the rule set of a digest. Raises ExplainError, LogError, and
    what `load` raises."""
    with log.snapshot() as frozen:
        replay = _Replay(frozen, load, progress)
        partition, offset, event = replay.find(id, source)
        worker, scratch = replay.up_to(partition, offset)
        place = f"position {log.info.generation}.{partition}.{offset}"
        if worker.processor is None:
            raise ExplainError(f"event `{id}` ({place}) came before any rules were activated")
        processor = cast(RulesProcessor, worker.processor)
        notes: list[str] = []
        if worker.blocks(event.key):
            notes.append(f"key `{event.key}` was blocked then: the event waited, and was met when the key was freed")

        def known_of(key: str) -> Known | None:
            if key == event.key:
                return _known(worker, scratch, key)
            return replay.where_forwarded(partition, offset, key)

        try:
            explained = Explainer(processor.ruleset).explain(event, known_of, only)
        except (msgspec.DecodeError, RecursionError) as error:
            raise ExplainError(f"event `{id}` ({place}) was parked: its data are no JSON: {error}") from error
        return Found(explained, f"{place}, rule set {processor.ruleset.name} {processor.digest}", tuple(notes))


class _Replay:
    def __init__(self, log: Log, load: Callable[[str], RulesProcessor], progress: Progress) -> None:
        self._log = log
        self._load = load
        self._progress = progress
        self._ends = [log.position(partition, RULES) for partition in range(log.info.partitions)]

    def find(self, id: str, source: str | None) -> tuple[int, int, Event]:
        """(partition, offset, event). Reads the log from its beginning: ids have no index."""
        done, total = 0, sum(self._ends)
        for partition, end in enumerate(self._ends):
            at = 0
            while at < end:
                batch = self._log.read(partition, at, _PAGE)
                if not batch.events:
                    break
                for offset, event in zip(batch.offsets, batch.events, strict=True):
                    if event.id == id and source in (None, event.source) and offset <= end:
                        return partition, offset, event
                at = batch.offsets[-1]
                self._progress(done + at, total)
            done += end
        where = f" of source `{source}`" if source is not None else ""
        hint = "derived events are not in it: explain the event that they come from"
        raise ExplainError(f"no event `{id}`{where} was evaluated in this log; {hint}")

    def up_to(self, partition: int, offset: int) -> tuple[Worker, ScratchLog]:
        """The partition as it was before the event at an offset."""
        scratch = ScratchLog(self._log, partition, offset - 1, lambda outputs: None)
        worker = Worker(cast(Log, scratch), Lease(partition, "explain", 0), self._load, budget=_CACHE)
        while scratch.at < offset - 1 and worker.work(_PAGE):
            self._progress(scratch.at, offset)
        return worker, scratch

    def where_forwarded(self, partition: int, offset: int, key: str) -> Known | None:
        """What the event met under another key, in the partition that owns it; None if it has not arrived."""
        owner = partition_of(key, len(self._ends))
        at = 0
        while at < self._ends[owner]:
            batch = self._log.read(owner, at, _PAGE)
            if not batch.events:
                break
            for place, event in zip(batch.offsets, batch.events, strict=True):
                if event.type != FORWARDED or event.key != key:
                    continue
                sent = _forwarded(event.data)
                if (sent.partition, sent.offset) == (partition, offset):
                    worker, scratch = self.up_to(owner, place)
                    return _known(worker, scratch, key)
            at = batch.offsets[-1]
        return None


def _known(worker: Worker, scratch: ScratchLog, key: str) -> Known:
    name = CELL + key
    value = scratch.rows(worker.partition, RULES, [name]).get(name)
    copies = Copies(scratch.scan(worker.partition, RULES, COPY, "", 1 << 30))
    return Known(Cell() if value is None else decode_cell(value), worker.state.tick, copies)
