"""A log with history: traffic fines, forwards, a parked event, decided by the real agent on a SQLite file."""

from __future__ import annotations

import functools
import gzip
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from rules.processor import RulesProcessor
from streams.backends.limits import LogLimits
from streams.backends.open import open_log
from streams.event import Event
from streams.intake import Intake
from streams.keys import partition_of
from streams.log import DELIVERY, Append, Commit, Log
from streams.outputs import Command
from streams.state import Change
from tests.agent.running import Running
from tests.rules.compile import building as build

FINES = Path(__file__).parents[2] / "examples" / "traffic-fines" / "traffic-fines.jsonl.gz"
NOW = 10**16


def fines_processor() -> RulesProcessor:
    """RULES.md §1, a projection under another key, and a rule that emits."""
    return build.compiled(
        build.projection(
            "fines",
            {
                "fine.created": {"amount": "event.data.amount", "paid": "0.0", "status": "'open'"},
                "fine.penalty_added": {"amount": "event.data.amount"},
                "fine.paid": {
                    "paid": "event.data.total_payment_amount",
                    "status": "event.data.total_payment_amount >= row.amount ? 'paid' : 'open'",
                },
            },
        ),
        build.projection(
            "classes",
            {"fine.created": {"n": "has(row.n) ? row.n + 1 : 1"}},
            by="event.data.vehicle_class",
        ),
        build.rule(
            "penalty-due",
            "fine.notified",
            build.command("add-penalty", "police", fine="${event.subject}", amount="${amount * 2}"),
            let={"amount": "fines.amount"},
            after=60 * build.DAY,
        ),
        build.rule("closed", "fine.paid", build.emit("fine.closed", data={"of": "${event.subject}"})),
        name="traffic-fines",
    )


@functools.cache
def _all_events() -> list[Event]:
    intake = Intake(max_ahead=None)
    with gzip.open(FINES, "rb") as lines:
        return [intake.from_json(line.rstrip(), NOW) for line in lines]


def fines_events(count: int) -> list[Event]:
    """Of a few fines, most of them from creation to the end: the first so many."""
    notified = [event.key for event in _all_events() if event.type == "fine.notified"][: count // 5]
    return [event for event in _all_events() if event.key in set(notified)][:count]


class History:
    """What the agent made of events in a file; `reopen` it after tampering."""

    def __init__(self, folder: Path, partitions: int, limits: LogLimits | None) -> None:
        self.path = folder / "log.db"
        self.processor = fines_processor()
        self._partitions, self._limits = partitions, limits
        self.log = self._open()
        self.log.put_document(self.processor.digest, self.processor.ruleset.document)
        self.running = Running(self.log, self.processor, lambda: NOW)
        self.running.activate(importing=True)

    def _open(self) -> Log:
        return open_log(f"sqlite:///{self.path}", partitions=self._partitions, now=lambda: NOW, limits=self._limits)

    def decide(self, events: list[Event], tick: int | None = None) -> History:
        by_partition: dict[int, list[Event]] = {}
        for event in events:
            by_partition.setdefault(partition_of(event.key, self._partitions), []).append(event)
        self.log.append([Append(partition, found) for partition, found in by_partition.items()])
        if tick is not None:
            self.running.tick(tick, limit=100_000)
        self.running.settle()
        return self

    def commands(self) -> list[tuple[int, Command]]:
        return [
            (partition, output)
            for partition in range(self._partitions)
            for output in self.log.outputs(partition, 0, 10**6)[1]
            if isinstance(output, Command)
        ]

    def deliver(self, partition: int, ids: list[str], end: int = 1) -> None:
        lease = self.log.acquire(partition, "delivery", 10, DELIVERY)
        assert lease is not None
        changes = [Change("#outputs", b"1"), *(Change(id, b'["done"]') for id in ids)]
        self.log.commit(Commit(lease, "delivery", end - 1, end, changes))

    def load(self, document: bytes) -> RulesProcessor:
        assert document == self.processor.ruleset.document
        return self.processor

    def tamper(self, change: Callable[[sqlite3.Connection], Any]) -> None:
        """Behind the log's back, as a bug or a person with a shell would."""
        self.log.close()
        db = sqlite3.connect(self.path)
        try:
            with db:
                assert change(db), "nothing was tampered with"
        finally:
            db.close()
        self.log = self._open()


@pytest.fixture
def history(tmp_path: Path) -> Iterator[Callable[..., History]]:
    made: list[History] = []

    def make(partitions: int = 3, limits: LogLimits | None = None) -> History:
        made.append(History(tmp_path, partitions, limits))
        return made[-1]

    yield make
    for each in made:
        each.log.close()
