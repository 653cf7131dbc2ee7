"""Query tables in a SQLite file of their own, because there is one writer a file and the log's is busy.

The feeder and a rebuild write, each write one transaction with the position it leads to, on condition that the position
is still where the writer began: two writers can never mix. Queries read on connections of their own and wait for nobody
(WAL). Any thread may call; several processes may have the file open.

Synchronous NORMAL: after a power failure the newest writes may be missing, with their positions, and the log shows them
again. Everything in the file can be made from the log, so a file that does not fit is emptied, and says why.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from projections.store import (
    CommandFilter,
    Listed,
    Listing,
    Place,
    QueryStoreBusy,
    QueryStoreError,
    RowPlace,
    RowQuery,
    Write,
)
from projections.stores.sqlite import lists
from projections.stores.sqlite.commands import count_open, forget_commands, write_commands
from projections.stores.sqlite.positions import move, position, positions, units
from projections.stores.sqlite.schema import OPEN, Layout, adapt, create, read_layout, table_name
from projections.stores.sqlite.writes import write_rows
from projections.table import DELIVERY, SETTLED, CommandRow, QueryTable, RowChange
from streams.log import LogInfo

CACHE_BYTES: Final = 16 << 20


class QueryStore:
    """`notice` is told, in words, when what was in the file had to be thrown away. Times in seconds.

    Raises QueryStoreError, from here on and from every method."""

    def __init__(
        self,
        path: Path,
        info: LogInfo,
        tables: Sequence[QueryTable],
        *,
        notice: Callable[[str], None],
        busy_timeout: float = 10.0,
    ) -> None:
        self.path = path
        self.info = info
        self.tables = tuple(tables)
        self._busy_timeout = busy_timeout
        self._layout = Layout.of(info, tables)
        self._lock = threading.Lock()
        self._idle: list[sqlite3.Connection] = []
        self._closed = False
        with self._translated():
            path.parent.mkdir(parents=True, exist_ok=True)
            self._writer = self._connect()
            try:
                self._prepare(notice)
            except BaseException:
                self._writer.close()
                raise

    def _prepare(self, notice: Callable[[str], None]) -> None:
        with self._transaction() as db:
            stored = read_layout(db)
            if stored == self._layout:
                return
            fresh = stored is None and db.execute("SELECT 1 FROM sqlite_master").fetchone() is None
            if stored is None and not fresh and not _is_ours(db):
                raise QueryStoreError(f"{self.path} is a SQLite database, but holds no query tables: name another file")
            if stored is not None and stored.continues(self._layout):
                made = adapt(db, stored, self._layout)
                reason = f"`{'`, `'.join(made)}` changed, the others stay" if made else ""
            else:
                create(db, self._layout)
                reason = stored.differs(self._layout) if stored else "this version cannot read its layout"
        if reason and not fresh:
            notice(f"query tables in {self.path} are made anew from the log: {reason}")

    # -- writing

    def apply(self, writes: Sequence[Write]) -> list[bool]:
        """In one transaction."""
        with self._lock, self._translated(), self._transaction() as db:
            self._check_layout(db)
            return [self._show(db, write) for write in writes]

    def _show(self, db: sqlite3.Connection, write: Write) -> bool:
        """The least position must be its start. What shows more, because it stayed when others were made anew, is left
        until a write leads further: what that lacks of the changes since is shown already."""
        shown = {unit: position(db, write.partition, unit) for unit in units(self.tables, write.processor)}
        if min(shown.values()) != write.start:
            return False
        moved = [unit for unit, at in shown.items() if at < write.end]
        self._write_rows(db, write.partition, [row for row in write.rows if row.table.id in moved])
        write_commands(db, write.partition, write.commands, write.gone)
        move(db, write.partition, moved, write.end)
        return True

    @contextmanager
    def replace(self, partition: int, processor: str) -> Iterator[Replacement]:
        """In one transaction, which holds the file's write lock from the beginning."""
        with self._lock, self._translated(), self._transaction() as db:
            self._check_layout(db)
            if processor == DELIVERY:
                forget_commands(db, partition)
            else:
                for table in self.tables:
                    db.execute(f"DELETE FROM {table_name(table.id)} WHERE partition = ?", (partition,))  # noqa: S608
            replacement = Replacement(self, db, partition)
            yield replacement
            if replacement.position is None:
                raise QueryStoreError("a replacement ends with its position")
            move(db, partition, units(self.tables, processor), replacement.position)

    def _write_rows(self, db: sqlite3.Connection, partition: int, rows: Sequence[RowChange]) -> None:
        for table in self.tables:
            write_rows(db, table, partition, [row for row in rows if row.table.id == table.id])

    # -- reading

    def position(self, partition: int, processor: str) -> int:
        with self.reading() as db:
            return min(position(db, partition, unit) for unit in units(self.tables, processor))

    def row(self, table: QueryTable, partition: int, key: str) -> tuple[str | None, int]:
        select = f"SELECT row FROM {table_name(table.id)} WHERE partition = ? AND key = ?"  # noqa: S608
        with self.reading() as db:
            found = db.execute(select, (partition, key)).fetchone()
            return (found[0] if found else None), position(db, partition, table.id)

    def command(self, id: str) -> str | None:
        with self.reading() as db:
            found = db.execute("SELECT summary FROM commands WHERE id = ?", (id,)).fetchone()
        return found[0] if found else None

    def commands(self, filter: CommandFilter, limit: int, after: Place | None = None) -> list[Listed]:
        where, values = _conditions(filter)
        if after is not None:
            where.append("(at, id) < (?, ?)")
            values += after
        condition = f"WHERE {' AND '.join(where)} " if where else ""
        select = f"SELECT at, id, summary FROM commands {condition}ORDER BY at DESC, id DESC LIMIT ?"  # noqa: S608
        with self.reading() as db:
            found = db.execute(select, (*values, limit)).fetchall()
        return [Listed(Place(at, id), summary) for at, id, summary in found]

    def rows(self, table: QueryTable, query: RowQuery, limit: int, after: RowPlace | None = None) -> Listing:
        with self.reading() as db:
            found = lists.rows(db, table, query, self.info.partitions, limit, after)
            return Listing(found, positions(db, self.info.partitions, table.id))

    def positions(self, table: QueryTable) -> list[int]:
        with self.reading() as db:
            return positions(db, self.info.partitions, table.id)

    def count_open(self, targets: Sequence[str], states: Sequence[str]) -> dict[str, dict[str, int]]:
        with self.reading() as db:
            return count_open(db, targets, states)

    def count_commands(self) -> int:
        with self.reading() as db:
            found: tuple[int] = db.execute("SELECT count(*) FROM commands").fetchone()
            return found[0]

    def count(self, table: QueryTable) -> int:
        with self.reading() as db:
            found: tuple[int] = db.execute(f"SELECT count(*) FROM {table_name(table.id)}").fetchone()  # noqa: S608
            return found[0]

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A connection in a transaction: all statements see one moment."""
        with self._translated():
            try:
                db = self._idle.pop()
            except IndexError:
                db = self._connect()
            try:
                if self._closed:
                    raise QueryStoreError("the query tables are closed")
                db.execute("BEGIN")
                yield db
            finally:
                if db.in_transaction:
                    db.execute("ROLLBACK")
                if self._closed:
                    db.close()
                else:
                    self._idle.append(db)

    # -- connections

    def _connect(self) -> sqlite3.Connection:
        db = sqlite3.connect(self.path, timeout=self._busy_timeout, isolation_level=None, check_same_thread=False)
        try:
            db.execute("PRAGMA journal_mode=WAL")
            db.execute("PRAGMA synchronous=NORMAL")
            db.execute(f"PRAGMA cache_size=-{CACHE_BYTES >> 10}")
            db.execute("PRAGMA journal_size_limit=67108864")
        except BaseException:
            db.close()
            raise
        return db

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        db = self._writer
        db.execute("BEGIN IMMEDIATE")
        try:
            yield db
            db.execute("COMMIT")
        finally:
            if db.in_transaction:
                db.execute("ROLLBACK")

    def _check_layout(self, db: sqlite3.Connection) -> None:
        stored = read_layout(db)
        if stored != self._layout:
            reason = stored.differs(self._layout) if stored else "it holds no query tables any more"
            raise QueryStoreError(
                f"{self.path} was taken over by another process: {reason}; give each a file of its own"
            )

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise QueryStoreError(f"{self.path}: {error}; name a folder that can be written") from error
        except sqlite3.Error as error:
            code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
            if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                raise QueryStoreBusy(f"{self.path} is being written by another process: repeat") from error
            if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
                raise QueryStoreError(
                    f"{self.path} is damaged ({error}): stop the server and delete the file; the log makes it again"
                ) from error
            raise QueryStoreError(f"{self.path}: {error}; check disk space and permissions") from error

    def close(self) -> None:
        with self._lock:
            self._closed = True
            self._writer.close()
            while self._idle:
                self._idle.pop().close()


class Replacement:
    """What takes the place of one processor's rows in one partition. Ends by setting `position`."""

    def __init__(self, store: QueryStore, db: sqlite3.Connection, partition: int) -> None:
        self._store = store
        self._db = db
        self._partition = partition
        self.position: int | None = None

    def add(self, rows: Sequence[RowChange] = (), commands: Sequence[CommandRow] = ()) -> None:
        self._store._write_rows(self._db, self._partition, rows)
        write_commands(self._db, self._partition, commands)


def _conditions(filter: CommandFilter) -> tuple[list[str], list[str | int]]:
    where: list[str] = []
    values: list[str | int] = []
    for column, value in (("target", filter.to), ("rule", filter.rule), ("key", filter.key), ("state", filter.state)):
        if value is not None:
            where.append(f"{column} = ?")
            values.append(value)
    for condition, moment in (("at >= ?", filter.since), ("at < ?", filter.until)):
        if moment is not None:
            where.append(condition)
            values.append(moment)
    if filter.state is not None and filter.state not in SETTLED:
        where.append(OPEN)  # said again, so that the index over the others can be used
    return where, values


def _is_ours(db: sqlite3.Connection) -> bool:
    found = {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    return {"meta", "positions", "commands"} <= found
