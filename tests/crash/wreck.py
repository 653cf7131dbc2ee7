"""What a killed server left behind, read from a copy of its files, so that the next server finds them as they were."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from adapters.ledger import DELIVERY, Entry, State, read
from streams.backends.open import open_log
from streams.log import Log
from streams.outputs import Command
from streams.state import CELL, decode_cell
from streams.worker import RULES

SUCCEEDED = "orchestrator.command.succeeded"
_PAGE = 5000


@contextmanager
def opened_copy(database: Path, partitions: int) -> Iterator[Log]:
    """Of a log that no process has open, recovered as the next server recovers the original; it may be half made, or
    not there yet."""
    with tempfile.TemporaryDirectory(dir=database.parent) as folder:
        for name in (database.name, f"{database.name}-wal"):
            if (file := database.with_name(name)).exists():
                shutil.copy(file, folder)
        url = f"sqlite:///{folder}/{database.name}"
        log = open_log(url, partitions=partitions, now=lambda: time.time_ns() // 1000)
        try:
            yield log
        finally:
            log.close()


def commands(log: Log) -> Counter[str]:
    """How often each command was decided."""
    found: Counter[str] = Counter()
    for partition in range(log.info.partitions):
        after = 0
        while (page := log.outputs(partition, after, _PAGE))[1]:
            found.update(output.id for output in page[1] if isinstance(output, Command))
            after = page[0] + len(page[1]) - 1
    return found


def ledger(log: Log) -> list[Entry]:
    """What delivery knows, of all partitions."""
    entries: list[Entry] = []
    for partition in range(log.info.partitions):
        after = ""
        while rows := log.scan(partition, DELIVERY, "", after, _PAGE):
            entries += [entry for name, value in rows if (entry := read(name, value)) is not None]
            after = rows[-1][0]
    return entries


def results(log: Log) -> Counter[str]:
    """How often the log says of each command that it was delivered."""
    found: Counter[str] = Counter()
    for partition in range(log.info.partitions):
        after = 0
        while (batch := log.read(partition, after, _PAGE)).events:
            found.update(msgspec.json.decode(event.data)["id"] for event in batch.events if event.type == SUCCEEDED)
            after = batch.offsets[-1]
    return found


def rows(log: Log) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each key with its rows by projection id."""
    for partition in range(log.info.partitions):
        after = ""
        while page := log.scan(partition, RULES, CELL, after, _PAGE):
            for name, value in page:
                yield name[len(CELL) :], decode_cell(value).rows
            after = page[-1][0]


def done(entries: list[Entry]) -> set[str]:
    return {entry.command.id for entry in entries if entry.state is State.DONE}


def behind(log: Log) -> int:
    """Events that are not evaluated."""
    return sum(status.tail - status.positions.get(RULES, 0) for status in log.status())
