"""Whether a SQLite log may grow: append is refused while commits still have room to drain."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from streams.backends.limits import LogLimits
from streams.backends.sqlite import reads
from streams.backends.sqlite.schema import PAGE_BYTES
from streams.log import LogFull


def room_to_lag(db: sqlite3.Connection, partition: int, tail: int, limits: LogLimits) -> None:
    """Raises LogFull if the partition would be too far ahead of whoever uses its events."""
    if (lag := tail - reads.position(db, partition, limits.lag_of)) > limits.max_lag_events:
        raise LogFull(
            f"partition {partition} would be {lag} events ahead of its {limits.lag_of}, the most allowed is "
            f"{limits.max_lag_events}: repeat when they caught up"
        )


def room_on_disk(db: sqlite3.Connection, path: Path, limits: LogLimits) -> None:
    """Raises LogFull if little of the disk, or of the file's own limit, is left."""
    disk = os.statvfs(path)
    if disk.f_bavail * disk.f_frsize < limits.min_free_bytes:
        raise LogFull(
            f"the disk of {path} has less than {limits.min_free_bytes >> 20} MB left, kept for "
            "commits: free some space",
            retry_after=10.0,
        )
    if limits.max_bytes:
        (pages,) = db.execute("PRAGMA page_count").fetchone()
        (free,) = db.execute("PRAGMA freelist_count").fetchone()
        if (pages - free) * PAGE_BYTES > limits.max_bytes * 9 // 10:
            raise LogFull(
                f"{path} is nearly as large as its limit of {limits.max_bytes} bytes: raise the limit",
                retry_after=10.0,
            )
