"""`orchestrator replay verify`: is what is stored what the events make of it?

Every partition is replayed from its first event, by the worker that live agents use, into memory, and compared with a
snapshot of the log: each output in its place, every row byte by byte, the index of due times, and that delivery knows
the commands that were decided. Ends at the first difference. Works beside a running server: it reads snapshots, one a
partition, and changes nothing.

Memory: the encoded rows of one partition. Reads no clock; a replay never sends (it cannot import adapters).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, Final, NamedTuple, cast

from replay.difference import Difference, DifferenceFound, Kind, row_difference
from replay.ledger import check_ledger
from replay.outputs import OutputsCompared
from replay.scratch import ScratchLog
from streams.log import Lease, Log, LogDamaged, LogError
from streams.processor import Processor
from streams.worker import RULES, Worker

PAGE: Final = 5_000
CACHE: Final = 64 << 20
"""Bytes for decoded cells."""


class Progress(NamedTuple):
    """Events replayed so far and to replay, over all partitions; the latter grows when a running server commits."""

    partition: int
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class VerifiedPartition:
    """What was compared."""

    partition: int
    position: int
    rows: int
    outputs: int
    commands: int


@dataclass(frozen=True, slots=True)
class Verification:
    log: str
    generation: int
    partitions: tuple[VerifiedPartition, ...]
    """Those in which no difference was found."""
    difference: Difference | None

    @property
    def clean(self) -> bool:
        return self.difference is None

    def document(self) -> dict[str, Any]:
        return {
            "clean": self.clean,
            "log": self.log,
            "generation": self.generation,
            "events": sum(each.position for each in self.partitions),
            "rows": sum(each.rows for each in self.partitions),
            "outputs": sum(each.outputs for each in self.partitions),
            "commands": sum(each.commands for each in self.partitions),
            "partitions": [
                {
                    "partition": each.partition,
                    "position": f"{self.generation}.{each.partition}.{each.position}",
                    "rows": each.rows,
                    "outputs": each.outputs,
                    "commands": each.commands,
                }
                for each in self.partitions
            ],
            "difference": self.difference.document() if self.difference else None,
        }

    def text(self) -> str:
        if self.difference is not None:
            return f"What is stored is not what the events make of it.\n{self.difference.text()}"
        found = self.document()
        return (
            f"Clean: {_count(found['events'], 'event')} replayed, {_count(found['rows'], 'row')} and "
            f"{_count(found['commands'], 'command')} are as stored, in {_count(len(self.partitions), 'partition')}."
        )


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}" + ("" if number == 1 else "s")


def verify(
    log: Log, load: Callable[[bytes], Processor], progress: Callable[[Progress], None] = lambda progress: None
) -> Verification:
    """`load` makes a processor of a rule set's document. Raises LogUnavailable, and what `load` raises for a document
    that is not readable any more; everything else that is wrong is the result's `difference`."""
    positions = {status.partition: status.positions.get(RULES, 0) for status in log.status()}
    verified: list[VerifiedPartition] = []
    difference = None
    done = 0
    for partition in range(log.info.partitions):
        with log.snapshot() as frozen:
            positions[partition] = frozen.position(partition, RULES)
            total = sum(positions.values())

            def tell(at: int, partition: int = partition, before: int = done, total: int = total) -> None:
                progress(Progress(partition, before + at, total))

            try:
                verified.append(_verify(frozen, partition, positions[partition], load, tell))
            except DifferenceFound as found:
                difference = found.difference
                break
            except LogDamaged as error:
                difference = Difference(Kind.STORAGE, partition, str(error))
                break
        done += positions[partition]
    return Verification(log.info.id, log.info.generation, tuple(verified), difference)


def _verify(
    log: Log, partition: int, upto: int, load: Callable[[bytes], Processor], tell: Callable[[int], None]
) -> VerifiedPartition:
    outputs = OutputsCompared(log, partition)
    scratch = ScratchLog(log, partition, upto, outputs.committed)
    _replay(log, scratch, partition, upto, load, tell)
    outputs.end()
    rows = _compare_rows(log, scratch, partition)
    _compare_dues(log, scratch, partition)
    if (wrong := check_ledger(log, partition)) is not None:
        raise DifferenceFound(wrong)
    return VerifiedPartition(partition, upto, rows, outputs.count, outputs.commands)


def _replay(
    log: Log,
    scratch: ScratchLog,
    partition: int,
    upto: int,
    load: Callable[[bytes], Processor],
    tell: Callable[[int], None],
) -> None:
    def processor(digest: str) -> Processor:
        document = log.document(digest)
        if document is None:
            raise LogError(f"rule set {digest}, which was activated, is not stored")
        return load(document)

    try:
        worker = Worker(cast(Log, scratch), Lease(partition, "replay", 0), processor, budget=CACHE)
        while scratch.at < upto and worker.work(PAGE):
            tell(scratch.at)
    except LogDamaged:
        raise
    except LogError as error:
        message = f"the events after offset {scratch.at} cannot be evaluated again: {error}"
        raise DifferenceFound(Difference(Kind.HISTORY, partition, message, offset=scratch.at + 1)) from error
    if scratch.at != upto:
        message = (
            f"the log ends at offset {scratch.at}, but everything up to {upto} was evaluated once: events are lost"
        )
        raise DifferenceFound(Difference(Kind.HISTORY, partition, message, offset=scratch.at + 1))


def _compare_rows(log: Log, scratch: ScratchLog, partition: int) -> int:
    """Merges both in order of names. How many rows there are."""
    count = 0
    names = iter(scratch.names())
    expected = next(names, None)
    for name, stored in _stored_rows(log, partition):
        if expected is None or name < expected:
            raise DifferenceFound(row_difference(partition, name, None, stored))
        value = scratch.value(expected)
        if name != expected:
            raise DifferenceFound(row_difference(partition, expected, value, None))
        if value != stored:
            raise DifferenceFound(row_difference(partition, name, value, stored))
        count += 1
        expected = next(names, None)
    if expected is not None:
        raise DifferenceFound(row_difference(partition, expected, scratch.value(expected), None))
    return count


def _stored_rows(log: Log, partition: int) -> Iterator[tuple[str, bytes]]:
    after = ""
    while page := log.scan(partition, RULES, "", after, PAGE):
        yield from page
        after = page[-1][0]


def _stored_dues(log: Log, partition: int) -> Iterator[tuple[int, str]]:
    after = (-(2**63) + 1, "")
    while page := log.due(partition, RULES, after, PAGE):
        yield from page
        after = page[-1]


def _compare_dues(log: Log, scratch: ScratchLog, partition: int) -> None:
    for expected, stored in zip_longest(scratch.dues(), _stored_dues(log, partition)):
        if expected != stored:
            first = min(pair for pair in (expected, stored) if pair is not None)
            message = (
                f"the index of due times is wrong about `{first[1]}`: a deadline fires too late, too early or never"
            )
            raise DifferenceFound(Difference(Kind.DUE, partition, message, first[1], expected=expected, stored=stored))
