"""Bounds of a log, frozen and handed in: how far it may run ahead of its readers, and what it may hold in memory."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LogLimits:
    """Defaults suit one machine. Counts are events or rows, sizes bytes, times seconds."""

    max_lag_events: int = 5_000_000
    """Append answers `LogFull` when a partition's tail would be further than this beyond `lag_of`'s position."""
    lag_of: str = "rules"
    """The processor whose position says how far events are used."""
    derived: str = "rules"
    """The processor whose commits follow from the events alone, so that what a power cut takes of them is made again:
    they do not wait for the disk. Who acts on them commits first, and that commit waits for all before it. "": none."""
    max_bytes: int = 0
    """The database file grows no larger; append answers `LogFull` at nine tenths of it, so that commits have room to
    drain. 0: as large as the disk."""
    min_free_bytes: int = 64 << 20
    """Append answers `LogFull` when the disk has less than this left: room for commits to drain."""
    overlay_rows: int = 200_000
    """Newest rows held in memory, over all partitions and processors, before they are flushed to the rows table.
    While a flush runs, as many again may gather (or a few commits of each processor, if those hold more). More make
    flushes cheaper: more rows share a page."""
    overlay_bytes: int = 64 << 20
    """The same in bytes of commits: also how much is read again when a partition is acquired."""
    flush_rows: int = 1_000
    """Writes that a commit does at least for a flush that runs. With many changes it does four for each of them, so
    that a flush ends before as many rows gather as it began with."""
    feed_bytes: int = 256 << 20
    """Commits kept for a feed's reader that is slow or absent; beyond it the oldest are dropped and `feed` says so."""
    busy_timeout: float = 5.0
    """How long a call waits for another process to finish its transaction."""
