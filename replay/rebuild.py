"""`orchestrator replay rebuild`: throws the query tables away and makes them again from state, partition by partition.

Works beside running servers: each partition is replaced as a whole, feeders wait meanwhile, and queries see the old
rows until the new ones are there. Whoever runs it opened the `QueryStore`, which empties a file of another log.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from projections.refill import refill
from projections.store import QueryStore
from projections.table import DELIVERY, RULES, CommandDecoder
from streams.log import Log


class Progress(NamedTuple):
    """Rows of state read so far. What there is to read is estimated from what is shown, and where that is less, from
    the partitions that are done: keys are spread evenly."""

    partition: int
    """The one that is being made; those before it are done."""
    rows: int
    estimate: int


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """Rows of state that were read, and what the tables show now. `seconds` by a clock that only measures."""

    read: int
    tables: dict[str, int]
    """Projection → rows."""
    commands: int
    seconds: float

    @property
    def rows_per_second(self) -> float:
        return self.read / self.seconds if self.seconds else 0.0

    def document(self) -> dict[str, Any]:
        return {
            "read": self.read,
            "tables": self.tables,
            "commands": self.commands,
            "seconds": round(self.seconds, 3),
            "rows_per_second": round(self.rows_per_second),
        }

    def text(self) -> str:
        tables = ", ".join(f"{name} {count:,}" for name, count in sorted(self.tables.items())) or "no projections"
        return (
            f"Made again from {self.read:,} rows of state: {tables}, {self.commands:,} commands "
            f"({self.seconds:.2f} s, {self.rows_per_second:,.0f} rows/s)."
        )


def rebuild(
    log: Log,
    store: QueryStore,
    commands: CommandDecoder,
    progress: Callable[[Progress], None] = lambda progress: None,
) -> Rebuilt:
    """Raises LogError and QueryStoreError. Whatever ends it, an interrupt too: partitions that were done stay done, the
    others show what they did."""
    shown = max((store.count(table) for table in store.tables), default=0) + store.count_commands()
    partitions = log.info.partitions
    began = time.perf_counter()
    read = 0
    for partition in range(partitions):
        spread = read * partitions // partition if partition else 0
        estimate = max(shown, spread)
        for processor in (RULES, DELIVERY):

            def tell(rows: int, partition: int = partition, before: int = read, estimate: int = estimate) -> None:
                progress(Progress(partition, before + rows, max(estimate, before + rows)))

            read += refill(log, store, partition, processor, commands, tell)
    took = time.perf_counter() - began
    return Rebuilt(read, {table.name: store.count(table) for table in store.tables}, store.count_commands(), took)
