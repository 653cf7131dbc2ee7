"""One partition in memory: what an agent does around a processor, without logs and commits.

Batches are cut as the caller says; between them every cell goes through its stored form, as after a crash.
"""

from __future__ import annotations

import json
from typing import Any

from rules.processor import RulesProcessor
from streams import state
from streams.copies import Copies
from streams.event import TICK, Event
from streams.log import Batch
from streams.outputs import Command, Copy, Decision, Derived, Forward, Output, Terms
from streams.processor import Partition, Step
from streams.state import NEVER, Cell
from tests.oracle.deciding import derived


class OnePartition:
    def __init__(self, processor: RulesProcessor) -> None:
        self.processor = processor
        self.partition = Partition()
        self.stored: dict[str, bytes] = {}
        self.copies: dict[str, bytes] = {}
        self.outputs: list[Output] = []
        self.counts: dict[str, int] = {}
        self.reasons: dict[str, str] = {}
        self.offset = 0

    def cell(self, key: str) -> Cell:
        return state.decode_cell(self.stored[key]) if key in self.stored else Cell()

    def due(self) -> list[tuple[int, str]]:
        cells = ((self.cell(key).due, key) for key in self.stored)
        return sorted((due, key) for due, key in cells if due != NEVER)

    def step(self, events: list[Event]) -> list[Output]:
        """One batch. A tick with a limit is repeated until nothing is left, as the agent does."""
        offsets = range(self.offset + 1, self.offset + 1 + len(events))
        self.offset += len(events)
        if not (len(events) == 1 and events[0].type == TICK):
            return self._step(Batch(offsets, events), [])
        put_out: list[Output] = []
        while True:
            tick = max(self.partition.tick, events[0].time)
            due = [each for each in self.due() if each[0] < tick]
            put_out += self._step(Batch(offsets, events), due)
            if not due:
                return put_out

    def _step(self, batch: Batch, due: list[tuple[int, str]]) -> list[Output]:
        keys = {*self.processor.keys(batch), *(key for _, key in due)}
        before = {key: state.encode_cell(self.cell(key)) for key in keys}
        step = Step(self.partition, {key: self.cell(key) for key in keys}, due, Copies(sorted(self.copies.items())))
        self.processor.step(batch, step)
        for key, cell in step.cells.items():
            if key in step.dirty:
                self.stored[key] = state.encode_cell(cell)
            else:
                assert state.encode_cell(cell) == before[key], f"{key} changed and nobody said so"
        for change in step.copies.changes():
            if change.value is None:
                self.copies.pop(change.name, None)
            else:
                self.copies[change.name] = change.value
        self.outputs += step.outputs
        self.reasons |= step.reasons
        for name, count in step.counts.items():
            self.counts[name] = self.counts.get(name, 0) + count
        return step.outputs

    def run(self, events: list[Event], cuts: set[int] = frozenset()) -> None:  # type: ignore[assignment]
        """All events; a new batch begins at each cut, and around each tick."""
        batch: list[Event] = []
        for place, event in enumerate(events):
            if batch and (place in cuts or event.type == TICK or batch[-1].type == TICK):
                self.step(batch)
                batch = []
            batch.append(event)
        if batch:
            self.step(batch)

    def commands(self) -> list[Command]:
        return [output for output in self.outputs if isinstance(output, Command)]

    def rows(self, projection: str) -> dict[str, Any]:
        id = self.processor.projection_ids[projection]
        cells = {key: self.cell(key) for key in self.stored}
        return {key: cell.rows[id] for key, cell in cells.items() if id in cell.rows}


def plain(output: Output, ways: dict[str, str]) -> tuple[Any, ...]:
    """An output as the oracle writes it; `ways` is route id → `by`, and projection id → its name."""
    match output:
        case Command():
            return (
                "command",
                output.id,
                output.command,
                output.rule,
                output.key,
                output.at,
                output.cause,
                output.args,
                output.shadow,
                output.to,
                None if output.terms is None else _terms(output.terms, ways),
            )
        case Derived():
            return derived(output.event, output.shadow)
        case Copy():
            return "copy", ways[output.projection], output.key, output.row
        case Forward():
            return "forward", ways[output.route], output.key, output.event.id
        case Decision():
            return output.verdict, output.key, output.id


def _terms(terms: Terms, ways: dict[str, str]) -> tuple[Any, ...]:
    return terms.timeout, terms.expires, terms.order, [plain(each, ways) for each in terms.fallback]


def written(outputs: list[tuple[Any, ...]]) -> list[str]:
    """As JSON, where 1, 1.0 and true are not the same."""
    return [json.dumps(output, sort_keys=True) for output in outputs]
