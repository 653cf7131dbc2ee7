"""Leases of the SQLite log, and how a dead owner is told from a living one.

A lease is a row for its partition and role. The epoch only grows and survives release: a stale owner never matches it.
Beside that, each process that holds leases locks a file of its own, `<database>.<number>.lock`, and its leases carry
that number. The kernel drops the lock when the process ends, however it ends: a restarted server need not wait for a
dead owner's lease to run out, while a living owner's unexpired lease is respected. Numbers are never used twice.

The functions run inside the caller's transaction. The lock is courtesy; safety is the epoch alone.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

from streams.log import Lease, Role


def acquire(
    db: sqlite3.Connection,
    partition: int,
    role: Role,
    owner: str,
    ttl: int,
    now: int,
    holder: int,
    alive: Callable[[int], bool],
) -> Lease | None:
    current, epoch, expires, held_by = db.execute(
        "SELECT owner, epoch, expires, holder FROM leases WHERE partition = ? AND role = ?", (partition, role)
    ).fetchone() or (None, 0, 0, 0)
    if current not in (None, owner) and expires > now and alive(held_by):
        return None
    db.execute(
        "INSERT OR REPLACE INTO leases (partition, role, owner, epoch, ttl, expires, holder) "
        "VALUES (?, ?, ?, ?, ?, ?, ?)",
        (partition, role, owner, epoch + 1, ttl, now + ttl, holder),
    )
    return Lease(partition, owner, epoch + 1, role)


def extend(db: sqlite3.Connection, lease: Lease, now: int) -> bool:
    """By its own duration; False: somebody else holds the place now."""
    done = db.execute(
        "UPDATE leases SET expires = ? + ttl WHERE partition = ? AND role = ? AND epoch = ? AND owner = ?",
        (now, lease.partition, lease.role, lease.epoch, lease.owner),
    )
    return done.rowcount == 1


def renew(db: sqlite3.Connection, lease: Lease, ttl: int, now: int) -> bool:
    done = db.execute(
        "UPDATE leases SET ttl = ?, expires = ? WHERE partition = ? AND role = ? AND epoch = ? AND owner = ?",
        (ttl, now + ttl, lease.partition, lease.role, lease.epoch, lease.owner),
    )
    return done.rowcount == 1


def release(db: sqlite3.Connection, lease: Lease) -> bool:
    done = db.execute(
        "UPDATE leases SET owner = NULL WHERE partition = ? AND role = ? AND epoch = ? AND owner = ?",
        (lease.partition, lease.role, lease.epoch, lease.owner),
    )
    return done.rowcount == 1


def epoch(db: sqlite3.Connection, partition: int, role: Role) -> int:
    """0 before the first."""
    row: tuple[int] | None = db.execute(
        "SELECT epoch FROM leases WHERE partition = ? AND role = ?", (partition, role)
    ).fetchone()
    return row[0] if row else 0


class Holder:
    """This process's lock. Its number is drawn when it first acquires something."""

    def __init__(self, database: Path) -> None:
        self._database = database
        self._file: int | None = None
        self._number = 0

    def number(self, db: sqlite3.Connection) -> int:
        while self._file is None:
            db.execute("UPDATE meta SET value = value + 1 WHERE name = 'holders'")
            (self._number,) = db.execute("SELECT value FROM meta WHERE name = 'holders'").fetchone()
            file = os.open(self._path(self._number), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o644)
            if _lock(file):
                self._file = file
            else:
                # Somebody else's: the database was put back to an older state beside a running server.
                os.close(file)
        return self._number

    def alive(self, number: int) -> bool:
        """Whether the process that holds the lock of this number still runs."""
        if self._file is not None and number == self._number:
            return True
        path = self._path(number)
        try:
            file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            if not _lock(file):
                return True
            path.unlink(missing_ok=True)
            return False
        finally:
            os.close(file)

    def close(self) -> None:
        if self._file is not None:
            self._path(self._number).unlink(missing_ok=True)
            os.close(self._file)
            self._file = None

    def _path(self, number: int) -> Path:
        return self._database.with_name(f"{self._database.name}.{number}.lock")


def _lock(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
