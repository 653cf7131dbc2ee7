"""The SQLite file: its tables, its connections, and what its errors mean in the words of `streams/log.py`.

Numbers of a partition (offsets, output numbers) and of a slot (one processor of one partition) share one integer
key with it: `base(partition) + number`, so that reading a partition from an offset on is one range scan.

    entries, outputs   one row per batch, keyed by its *last* number; the body is JSON lines
    deltas             one row per commit of a slot, keyed by the position it led to; what changed, as MessagePack
    rows, dues         what was flushed of the deltas; a delta beyond its slot's `flushed` wins over them
    moves              due times on their way from rows to dues, while a flush runs
"""

from __future__ import annotations

import functools
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Concatenate, Final, ParamSpec, Protocol, TypeVar

from streams.log import LogDamaged, LogError, LogUnavailable

FORMAT: Final = 2
SHIFT: Final = 44
SPAN: Final = 1 << SHIFT
PAGE_BYTES: Final = 8192

SCHEMA: Final = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID;
CREATE TABLE entries (id INTEGER PRIMARY KEY, count INTEGER NOT NULL, body BLOB NOT NULL);
CREATE TABLE outputs (id INTEGER PRIMARY KEY, count INTEGER NOT NULL, body BLOB NOT NULL);
CREATE TABLE producers (
    partition INTEGER NOT NULL, producer TEXT NOT NULL, sequence INTEGER NOT NULL, PRIMARY KEY (partition, producer)
) WITHOUT ROWID;
CREATE TABLE leases (
    partition INTEGER NOT NULL,
    role TEXT NOT NULL,
    owner TEXT,
    epoch INTEGER NOT NULL,
    ttl INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    holder INTEGER NOT NULL,
    PRIMARY KEY (partition, role)
) WITHOUT ROWID;
CREATE TABLE partitions (
    partition INTEGER PRIMARY KEY,
    outputs INTEGER NOT NULL DEFAULT 0,
    committed_at INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE slots (
    slot INTEGER PRIMARY KEY,
    partition INTEGER NOT NULL,
    processor TEXT NOT NULL,
    position INTEGER NOT NULL DEFAULT 0,
    flushed INTEGER NOT NULL DEFAULT 0,
    forgotten INTEGER NOT NULL DEFAULT 0,
    UNIQUE (partition, processor)
);
CREATE TABLE deltas (id INTEGER PRIMARY KEY, body BLOB NOT NULL);
CREATE TABLE rows (
    slot INTEGER NOT NULL, name TEXT NOT NULL, value BLOB NOT NULL, due INTEGER NOT NULL, PRIMARY KEY (slot, name)
) WITHOUT ROWID;
CREATE TABLE dues (
    slot INTEGER NOT NULL, due INTEGER NOT NULL, name TEXT NOT NULL, PRIMARY KEY (slot, due, name)
) WITHOUT ROWID;
CREATE TABLE moves (id INTEGER PRIMARY KEY, slot INTEGER NOT NULL, body BLOB NOT NULL);
CREATE TABLE documents (digest TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID;
INSERT INTO meta VALUES ('id', lower(hex(randomblob(16)))), ('generation', 1), ('holders', 0);
"""

P = ParamSpec("P")
R = TypeVar("R")


def base(partition: int) -> int:
    """The key before the first of this partition (or slot): numbers begin at 1."""
    return partition << SHIFT


def connect(path: Path, *, synchronous: str, busy_timeout: float, cache_bytes: int) -> sqlite3.Connection:
    """A connection in autocommit mode that any thread may use, one at a time."""
    db = sqlite3.connect(path, timeout=busy_timeout, isolation_level=None, check_same_thread=False)
    try:
        db.execute(f"PRAGMA page_size={PAGE_BYTES}")
        db.execute("PRAGMA journal_mode=WAL")
        db.execute(f"PRAGMA synchronous={synchronous}")
        db.execute(f"PRAGMA cache_size=-{cache_bytes >> 10}")
        db.execute("PRAGMA journal_size_limit=67108864")
        db.execute("PRAGMA secure_delete=OFF")
    except BaseException:
        db.close()
        raise
    return db


class _HasPath(Protocol):
    @property
    def path(self) -> Path: ...


S = TypeVar("S", bound=_HasPath)


def translated(method: Callable[Concatenate[S, P], R]) -> Callable[Concatenate[S, P], R]:
    """Lets a method raise LogErrors in place of SQLite's."""

    @functools.wraps(method)
    def call(self: S, /, *args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return method(self, *args, **kwargs)
        except sqlite3.Error as error:
            raise translate(error, self.path) from error

    return call


def translate(error: sqlite3.Error, path: Path) -> LogError:
    code = getattr(error, "sqlite_errorcode", None)
    match code & 0xFF if code is not None else None:
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return LogUnavailable(f"{path} is in use by another process for longer than the time limit: repeat")
        case sqlite3.SQLITE_FULL:
            return LogUnavailable(f"{path}: {error}; free disk space or raise the limit of the log's size")
        case sqlite3.SQLITE_NOTADB:
            return LogDamaged(
                f"{path} is no SQLite database: name another file; if it was a log, stop, keep a copy, and restore it"
            )
        case sqlite3.SQLITE_CORRUPT:
            return LogDamaged(
                f"{path} is damaged ({error}): stop, keep a copy, and restore the file or `sqlite3 {path} .recover` it"
            )
        case sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_PERM | sqlite3.SQLITE_READONLY:
            return LogUnavailable(f"{path}: {error}; check that file and folder exist and may be written by this user")
        case None:
            return LogUnavailable(f"{path}: {error}; the log is closed or the call was not made for it")
        case _:
            return LogUnavailable(f"{path}: {error}")
