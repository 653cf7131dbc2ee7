"""The log in one SQLite file: one writer under a lock, a reading connection a call, one transaction a commit.

A commit writes the position, one delta of what changed, one batch of outputs and what it appends. Rows reach their
table later, sorted, in pieces between commits (`flush.py`); until then they are looked up in memory
(`state.py`). The process that holds a partition's lease has that memory; others read the deltas each time.

SQLite itself never waits for the disk but where it takes the write-ahead log over. What is answered has been synced by
us, after the transaction and outside the lock, so that others write meanwhile: all but commits of one processor whose
results follow from the events alone (`LogLimits.derived`). They survive the death of the process and reach the disk
with the next call that syncs; a power cut takes them from the end, and evaluation makes them again. With synchronous
NORMAL nothing waits, and `durable` brings events to the disk. Any thread may call, and several processes.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Final

from streams import outputs as outs
from streams.backends.entries import Piece, pieces
from streams.backends.limits import LogLimits
from streams.backends.members import LocalMembers
from streams.backends.one_by_one import OneByOne
from streams.backends.requests import check_commit, check_sequences
from streams.backends.sqlite import leases, reads
from streams.backends.sqlite.entries import append, store
from streams.backends.sqlite.readers import Readers
from streams.backends.sqlite.reading import SqliteReading, View
from streams.backends.sqlite.room import room_on_disk
from streams.backends.sqlite.schema import PAGE_BYTES, base, connect, translated
from streams.backends.sqlite.snapshot import SqliteSnapshot
from streams.backends.sqlite.state import OwnedState, Slot, load
from streams.log import (
    AGENT,
    Append,
    Appended,
    Beat,
    Code,
    Commit,
    Lease,
    Log,
    LogError,
    LogFull,
    LogInfo,
    LogUnavailable,
    Role,
    role_of,
)
from streams.state import encode_changes

POLL: Final = 0.05
"""Seconds after which `follow` looks whether another process has written."""
WRITER_CACHE: Final = 64 << 20
READER_CACHE: Final = 16 << 20


class SqliteLog(OneByOne, SqliteReading):
    """`path` is a file that `sqlite_file.prepare` has made. `synchronous` is `full` or `normal`."""

    def __init__(
        self, path: Path, info: LogInfo, now: Callable[[], int], limits: LogLimits, synchronous: str = "full"
    ) -> None:
        super().__init__(path, info, now, limits)
        self._waits = synchronous == "full"
        self._lock = threading.RLock()
        self._writer = self._connect(WRITER_CACHE)
        if limits.max_bytes:
            self._writer.execute(f"PRAGMA max_page_count={limits.max_bytes // PAGE_BYTES}")
        self._readers = Readers(lambda: self._connect(READER_CACHE))
        self._holder = leases.Holder(path)
        self._state = OwnedState(limits)
        self._members = LocalMembers(now)
        self._changed = threading.Condition()
        self._writes = 0
        self._synced: dict[int, int] = {}
        self._closed = False

    def _connect(self, cache_bytes: int) -> sqlite3.Connection:
        return connect(self.path, synchronous="normal", busy_timeout=self._limits.busy_timeout, cache_bytes=cache_bytes)

    # -- connections and transactions

    def _reading(self) -> AbstractContextManager[sqlite3.Connection]:
        return self._readers.borrow()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._readers.borrow() as db:
            db.execute("BEGIN")
            yield db

    @contextmanager
    def _writing(self, waits: bool = True) -> Iterator[sqlite3.Connection]:
        """The writer in a transaction that ends with the block; what is raised in the block undoes it. A block may end
        it by itself. Then, with `waits`, it is brought to the disk."""
        with self._lock:
            db = self._writer
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
                if db.in_transaction:
                    db.execute("COMMIT")
            except BaseException:
                if db.in_transaction:
                    db.execute("ROLLBACK")
                raise
        if waits and self._waits:
            self._sync()

    def _sync(self) -> None:
        """Brings what was committed to the disk; what SQLite took over from the write-ahead log is there already."""
        try:
            file = os.open(f"{self.path}-wal", os.O_RDONLY | os.O_CLOEXEC)
            try:
                os.fsync(file)
            finally:
                os.close(file)
        except OSError as error:
            raise LogUnavailable(f"{self.path}: the disk did not take what was written: {error}") from error

    @contextmanager
    def _view(self, partition: int, processor: str) -> Iterator[View | None]:
        slot = self._owned(partition, processor)
        if slot is not None:
            layers = slot.layers
            with self._readers.borrow() as db:
                yield View(db, slot.slot, layers)
        else:
            with self._transaction() as db:
                slot = load(db, partition, processor)
                yield View(db, slot.slot, slot.layers) if slot else None

    def _owned(self, partition: int, processor: str) -> Slot | None:
        slot = self._state.held(partition, processor)
        place = (partition, role_of(processor))
        if slot is None and self._state.owns(place):
            try:
                with self._writing() as db:
                    slot = self._state.slot(db, partition, processor)
            except BaseException:
                self._state.discard(place)
                raise
        return slot

    # -- events

    @translated
    def append(self, appends: Sequence[Append]) -> list[Appended]:
        for request in appends:
            check_sequences(request)
            self._known(request.partition)
        encoded = [pieces(request.events) for request in appends]
        try:
            with self._writing(waits=False) as db:
                room_on_disk(db, self.path, self._limits)
                answers = append(db, appends, encoded, self._limits)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode == sqlite3.SQLITE_FULL:
                raise LogFull(f"{self.path}: {error}; free disk space or raise the log's limit", 10.0) from error
            raise
        self._notify()
        if self._waits:
            self._sync()
            for request, answer in zip(appends, answers, strict=True):
                self._synced[request.partition] = max(answer.offset, self._synced.get(request.partition, 0))
        return answers

    def _notify(self) -> None:
        with self._changed:
            self._writes += 1
            self._changed.notify_all()

    @translated
    def durable(self, partition: int) -> int:
        tail = self.tail(partition)
        if tail > self._synced.get(partition, 0):
            self._sync()
            self._synced[partition] = tail
        return tail

    @translated
    def follow(self, tails: Mapping[int, int], timeout: float) -> set[int]:
        return set(self._follow(reads.tail, tails, timeout))

    @translated
    def follow_outputs(self, numbers: Mapping[int, int], timeout: float) -> dict[int, int]:
        return self._follow(reads.last_output, numbers, timeout)

    def _follow(
        self, last: Callable[[sqlite3.Connection, int], int], seen: Mapping[int, int], timeout: float
    ) -> dict[int, int]:
        deadline = time.monotonic() + timeout
        with self._reading() as db:
            while True:
                # Both before the look, so that what is written after it is noticed.
                writes, version = self._writes, _version(db)
                ready = {partition: end for partition, upto in seen.items() if (end := last(db, partition)) > upto}
                if ready:
                    return ready
                while writes == self._writes and version == _version(db):
                    left = deadline - time.monotonic()
                    if left <= 0 or self._closed:
                        return {}
                    with self._changed:
                        if writes == self._writes:
                            self._changed.wait(min(left, POLL))

    # -- ownership

    def beat(self, member: str, role: Role, caught_up: Mapping[int, int], ttl: float) -> Beat:
        """Of this process: another one that opens the same file is not seen."""
        with self._lock:
            return self._members.beat(member, role, caught_up, ttl)

    def leave(self, member: str, role: Role) -> None:
        with self._lock:
            self._members.leave(member, role)

    @translated
    def acquire(self, partition: int, owner: str, ttl: float, role: Role = AGENT) -> Lease | None:
        self._known(partition)
        with self._lock:
            with self._writing() as db:
                holder = self._holder.number(db)
                lease = leases.acquire(
                    db, partition, role, owner, int(ttl * 1e6), self._now(), holder, self._holder.alive
                )
            if lease is not None:
                self._state.acquired((partition, role), lease.epoch)
        return lease

    @translated
    def renew(self, lease: Lease, ttl: float) -> bool:
        with self._writing() as db:
            return leases.renew(db, lease, int(ttl * 1e6), self._now())

    @translated
    def release(self, lease: Lease) -> None:
        with self._lock:
            with self._writing() as db:
                released = leases.release(db, lease)
            if released:
                self._state.lose((lease.partition, lease.role))

    # -- commits

    @translated
    def commit(self, commit: Commit) -> Code:
        check_commit(commit)
        place = (self._known(commit.lease.partition), commit.lease.role)
        changes = list(commit.changes)
        delta = encode_changes(changes)
        outputs = outs.encode(commit.outputs) if commit.outputs else b""
        results = pieces(commit.events)
        waits = commit.processor != self._limits.derived or bool(results)
        with self._lock:
            begun = False
            try:
                with self._writing(waits=False) as db:
                    begun = True
                    code, slot = self._commit(db, commit, delta, outputs, results)
                    if code is not Code.COMMITTED:
                        db.execute("ROLLBACK")
            except BaseException:
                if begun:
                    self._state.discard(place)
                raise
            if code is not Code.COMMITTED:
                # A slot that was loaded in a transaction that is undone cannot be kept.
                self._state.discard(place)
            elif slot is not None:
                slot.apply(commit.end, changes, len(delta))
                self._state.add(slot)
                self._between_commits(slot, len(changes))
        if (results or outputs) and code is Code.COMMITTED:
            self._notify()
        if waits and self._waits and code in (Code.COMMITTED, Code.DONE):
            self._sync()
        return code

    def _commit(
        self, db: sqlite3.Connection, commit: Commit, delta: bytes, outputs: bytes, results: Sequence[Piece]
    ) -> tuple[Code, Slot | None]:
        partition, now = commit.lease.partition, self._now()
        if not leases.extend(db, commit.lease, now):
            self._state.verify(db, (partition, commit.lease.role))
            return Code.FENCED, None
        if not self._state.owns((partition, commit.lease.role)):
            raise LogError(f"this process commits to partition {partition} without having acquired it: acquire first")
        slot = self._state.slot(db, partition, commit.processor)
        if slot is None:
            if commit.start:
                return Code.MISMATCH, None
            row = db.execute("INSERT INTO slots (partition, processor) VALUES (?, ?)", (partition, commit.processor))
            assert row.lastrowid is not None
            slot = Slot(row.lastrowid, partition, commit.processor)
        moved = db.execute(
            "UPDATE slots SET position = ? WHERE slot = ? AND position = ?", (commit.end, slot.slot, commit.start)
        )
        if moved.rowcount != 1:
            return (Code.DONE if slot.position == commit.end else Code.MISMATCH), slot
        db.execute("INSERT INTO deltas (id, body) VALUES (?, ?)", (base(slot.slot) + commit.end, delta))
        (number,) = db.execute(
            "UPDATE partitions SET committed_at = ?, outputs = outputs + ? WHERE partition = ? RETURNING outputs",
            (now, len(commit.outputs), partition),
        ).fetchone()
        if outputs:
            key = base(partition) + number
            db.execute("INSERT INTO outputs (id, count, body) VALUES (?, ?, ?)", (key, len(commit.outputs), outputs))
        if results:
            store(db, partition, reads.tail(db, partition), results)
        return Code.COMMITTED, slot

    def _between_commits(self, slot: Slot, changed: int) -> None:
        """Flushing is not part of the commit: what it cannot do now it does after another one. It need not be synced
        either, because what it relies on stays until it is on disk itself."""
        if not self._state.pending(slot):
            return
        flushing = self._state.flushing
        begun = False
        try:
            with self._writing(waits=False) as db:
                begun = True
                self._state.work(db, slot, changed)
            self._state.worked()
        except BaseException as error:
            if begun:
                self._state.discard(slot.place)
                if flushing is not None:
                    self._state.discard(flushing)
            code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_OK) & 0xFF
            if code not in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_BUSY):
                raise

    def forget(self, partition: int, processor: str, upto: int) -> None:
        """Kept in memory: a reader that starts again says it again. Deltas go when they are flushed, too."""
        slot = self._state.held(self._known(partition), processor)
        if slot is not None:
            slot.read_upto = max(slot.read_upto, upto)

    # -- documents, looking

    @translated
    def put_document(self, digest: str, body: bytes) -> None:
        with self._writing() as db:
            db.execute("INSERT OR IGNORE INTO documents (digest, body) VALUES (?, ?)", (digest, body))

    @contextmanager
    def snapshot(self) -> Iterator[Log]:
        db = self._connect(READER_CACHE)
        try:
            db.execute("BEGIN")
            db.execute("SELECT count(*) FROM meta").fetchone()  # the moment of the first read is the snapshot's
            yield SqliteSnapshot(self, db)
        finally:
            db.close()

    def close(self) -> None:
        with self._lock:
            self._closed = True
            self._readers.close()
            self._writer.close()
            self._holder.close()
        self._notify()


def _version(db: sqlite3.Connection) -> int:
    """Changes when another connection, of this process or another, has written."""
    row: tuple[int] = db.execute("PRAGMA data_version").fetchone()
    return row[0]
