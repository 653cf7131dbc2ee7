"""Making and opening the file of a SQLite log."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from streams.backends.limits import LogLimits
from streams.backends.sqlite.schema import FORMAT, SCHEMA, connect, translate
from streams.log import LogError, LogInfo

PARTITIONS = 8


def prepare(path: Path, partitions: int | None, create: bool, limits: LogLimits) -> LogInfo:
    """Makes the file if it may and must; raises LogError if what is there is no log of this format and partitions."""
    if not create and not path.exists():
        raise LogError(f"there is no log at {path}: start the server once, or name the right file")
    try:
        if create:
            path.parent.mkdir(parents=True, exist_ok=True)
        db = connect(path, synchronous="full", busy_timeout=limits.busy_timeout, cache_bytes=1 << 20)
    except OSError as error:
        raise LogError(f"the folder of {path} cannot be made ({error}): name another path") from error
    except sqlite3.Error as error:
        raise translate(error, path) from error
    try:
        if not _has_tables(db):
            if not create:
                raise LogError(f"{path} holds no log: start the server once, or name the right file")
            db.execute("BEGIN IMMEDIATE")
            if not _has_tables(db):  # nobody else has made them meanwhile
                _make(db, partitions or PARTITIONS)
            db.execute("COMMIT")
        return _info(db, path, partitions)
    except sqlite3.Error as error:
        raise translate(error, path) from error
    finally:
        db.close()


def _has_tables(db: sqlite3.Connection) -> bool:
    return db.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone() is not None


def _make(db: sqlite3.Connection, partitions: int) -> None:
    for statement in SCHEMA.split(";"):
        db.execute(statement)
    db.execute("INSERT INTO meta VALUES ('format', ?), ('partitions', ?)", (FORMAT, partitions))
    db.executemany("INSERT INTO partitions (partition) VALUES (?)", [(number,) for number in range(partitions)])


def _info(db: sqlite3.Connection, path: Path, partitions: int | None) -> LogInfo:
    if db.execute("SELECT 1 FROM sqlite_master WHERE name = 'meta'").fetchone() is None:
        raise LogError(f"{path} is a SQLite database, but not a log: name another file")
    meta = dict(db.execute("SELECT name, value FROM meta"))
    if meta.get("format") != FORMAT:
        raise LogError(
            f"{path} has format {meta.get('format')}, this version reads format {FORMAT}: use the version that wrote it"
        )
    if partitions is not None and partitions != meta["partitions"]:
        raise LogError(
            f"{path} has {meta['partitions']} partitions, not {partitions}: ask for {meta['partitions']}, leave the "
            "setting away, or name another file"
        )
    return LogInfo(meta["id"], meta["generation"], meta["partitions"])
