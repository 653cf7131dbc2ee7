"""Makes the query tables of one partition anew from state, as one replacement (`QueryStore.replace`).

The feeder calls it when the log has forgotten commits that the tables have not seen, `replay rebuild` for everything.
Safe beside other writers: it looks at a snapshot of the log when no other may write, so the position it ends with is
never behind what was shown before. Memory is bounded by a page; queries see the old rows until the end.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from projections.changes import row_changes
from projections.store import QueryStore
from projections.table import DELIVERY, CommandDecoder
from streams.log import Log
from streams.state import CELL

PAGE: Final = 5_000


def refill(
    log: Log,
    store: QueryStore,
    partition: int,
    processor: str,
    commands: CommandDecoder,
    progress: Callable[[int], None] = lambda rows: None,
) -> int:
    """How many rows of state were read; `progress` is told the count so far. Raises LogError and QueryStoreError."""
    prefix = "" if processor == DELIVERY else CELL
    read = 0
    with store.replace(partition, processor) as replacement, log.snapshot() as frozen:
        position = frozen.position(partition, processor)
        after = ""
        while page := frozen.scan(partition, processor, prefix, after, PAGE):
            after = page[-1][0]
            read += len(page)
            if processor == DELIVERY:
                found = (commands(name, value) for name, value in page)
                replacement.add(commands=[command for command in found if command is not None])
            else:
                shown = row_changes(store.tables, ((name, value, position) for name, value in page))
                replacement.add([change for change in shown if change.text is not None])
            progress(read)
        replacement.position = position
    return read
