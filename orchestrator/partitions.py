"""What is known of each partition, for people: who owns it, how far it is, and what holds it up.

Three sources: what the log stores of every partition, what this process's agent thinks of those it evaluates
(`PartitionView`), and how far the query tables are. Of what others evaluate the log says as much, but why rules could
not be evaluated. Reads both: call it in a thread.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from adapters.ledger import CURSOR, DELIVERY, read_cursor
from projections.query import Queries
from streams import rfc3339
from streams.log import Log, PartitionStatus
from streams.outputs import Command
from streams.owned import PartitionView
from streams.processor import Partition
from streams.state import BLOCKED, DAWN, NEVER, PARTITION
from streams.worker import RULES

MOST_UNDELIVERED: Final = 1_000
"""Counting ends here: it says whether and roughly how many."""
MOST_BLOCKED: Final = 1_000
"""The same."""


def partitions(log: Log, views: Sequence[PartitionView], queries: Queries) -> list[dict[str, Any]]:
    """Raises LogError and QueryStoreError."""
    seen = {view.partition: view for view in views}
    return [_partition(log, status, seen.get(status.partition), queries) for status in log.status()]


def _partition(log: Log, status: PartitionStatus, view: PartitionView | None, queries: Queries) -> dict[str, Any]:
    position = status.positions.get(RULES, 0)
    generation = log.info.generation
    here = view is not None and view.state in ("running", "stalled")
    state, reason = _state(status, view)
    tick = view.tick if view is not None and here else _tick(log, status.partition)
    return {
        "partition": status.partition,
        "owner": status.owner,
        "position": f"{generation}.{status.partition}.{position}",
        "tail": f"{generation}.{status.partition}.{status.tail}",
        "lag": max(0, status.tail - position),
        "clock": rfc3339.format(tick) if tick > DAWN else None,
        "state": state,
        "reason": reason or None,
        "blocked_keys": view.blocked if view is not None and here else _blocked(log, status.partition),
        "not_evaluated": view.reasons if view is not None and here else None,
        "last_progress": rfc3339.format(status.committed_at) if status.committed_at else None,
        "undelivered": undelivered(log, status.partition),
        # Last, so that whoever finds nothing undelivered here, and everything shown, finds it delivered in the tables.
        "shown": shown(log, status.partition, queries),
    }


def _state(status: PartitionStatus, view: PartitionView | None) -> tuple[str, str]:
    """(state, reason)."""
    if view is not None and (view.state != "waiting" or status.owner is None):
        return view.state, view.reason
    return ("elsewhere", "") if status.owner is not None else ("waiting", "nobody evaluates it")


def _tick(log: Log, partition: int) -> int:
    row = log.rows(partition, RULES, [PARTITION]).get(PARTITION)
    return msgspec.msgpack.decode(row, type=Partition).tick if row is not None else DAWN


def _blocked(log: Log, partition: int) -> int:
    """Blocked keys, counted up to MOST_BLOCKED."""
    return len(log.scan(partition, RULES, BLOCKED, "", MOST_BLOCKED))


def undelivered(log: Log, partition: int) -> int:
    """Commands that are neither done nor parked, counted up to MOST_UNDELIVERED."""
    waiting = log.due(partition, DELIVERY, (-NEVER - 1, ""), MOST_UNDELIVERED)
    return min(MOST_UNDELIVERED, unread(log, partition) + len(waiting))


def unread(log: Log, partition: int) -> int:
    """Commands that delivery has not taken in yet, counted up to MOST_UNDELIVERED outputs."""
    row = log.rows(partition, DELIVERY, [CURSOR]).get(CURSOR)
    _, outputs = log.outputs(partition, read_cursor(row) if row is not None else 0, MOST_UNDELIVERED)
    return sum(isinstance(output, Command) and not output.shadow for output in outputs)


def shown(log: Log, partition: int, queries: Queries) -> bool:
    """Whether the query tables show everything that is committed."""
    return all(queries.position(partition, each) >= log.position(partition, each) for each in (RULES, DELIVERY))
