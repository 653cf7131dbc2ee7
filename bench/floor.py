"""The floor of the embedded loop: the same work by hand for these rules (`bench/by_hand.py`), and nothing else.

The same entries in the same SQLite settings, the same batch, the same kind of cache and the same flush behind it. One
transaction a commit with position, one delta blob and one batch of outputs, fenced by an epoch; it does not wait for
the disk, as commits of rules do not. One process, one thread.
"""

from __future__ import annotations

import sqlite3
import time
from array import array
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from bench.by_hand import Order, Row, Rules, decode_orders, decode_row, encode_commands, encode_row, new_row
from bench.contestants import Round
from bench.workload import BATCH, Orders
from streams import event as events
from streams.event import Event

ENTRY = 1_000
OVERLAY = 200_000
LOOK_UP = 512

SCHEMA = """
CREATE TABLE entries (id INTEGER PRIMARY KEY, body BLOB NOT NULL);
CREATE TABLE outputs (id INTEGER PRIMARY KEY, body BLOB NOT NULL);
CREATE TABLE deltas (id INTEGER PRIMARY KEY, body BLOB NOT NULL);
CREATE TABLE position (epoch INTEGER NOT NULL, position INTEGER NOT NULL);
CREATE TABLE rows (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
INSERT INTO position VALUES (1, 0);
"""

_find = f"SELECT key, value FROM rows WHERE key IN ({','.join('?' * LOOK_UP)})"


class Cache:
    """Rows in two generations, as many as `capacity`: the old one goes when both are full."""

    def __init__(self, db: sqlite3.Connection, capacity: int) -> None:
        self._db = db
        self._capacity = capacity * 2 // 3
        self.young: dict[str, Row] = {}
        self.old: dict[str, Row] = {}
        self.overlay: dict[str, bytes] = {}
        """Encoded rows that are not in the table yet."""

    def load(self, keys: Iterable[str]) -> dict[str, Row]:
        young, old, overlay = self.young, self.old, self.overlay
        missing = set(keys).difference(young)
        absent = []
        for key in missing:
            if key in old:
                young[key] = old.pop(key)
            elif key in overlay:
                young[key] = decode_row(overlay[key])
            else:
                absent.append(key)
        for start in range(0, len(absent), LOOK_UP):
            part = absent[start : start + LOOK_UP]
            found = dict(self._db.execute(_find, part + [part[0]] * (LOOK_UP - len(part))).fetchall())
            for key in part:
                value = found.get(key)
                young[key] = decode_row(value) if value is not None else new_row()
        return young

    def committed(self) -> None:
        young = len(self.young)
        if young + len(self.old) > self._capacity and 2 * young > self._capacity:
            self.old, self.young = self.young, {}


class Floor:
    def __init__(self, folder: str, keys: int, cached: int, events: int, warm: bool) -> None:
        self._events = events
        self._source = Orders(keys)
        self._db = sqlite3.connect(Path(folder) / "floor.db", isolation_level=None)
        for pragma in ("page_size=8192", "journal_mode=WAL", "synchronous=NORMAL", "cache_size=-65536"):
            self._db.execute(f"PRAGMA {pragma}")
        self._db.execute("PRAGMA journal_size_limit=67108864")
        self._db.executescript(SCHEMA)
        self._cache = Cache(self._db, cached)
        self._tail = self._position = self._outputs = 0
        self._rules = Rules()
        if warm:
            for chunk in self._source.one_each(100_000):
                self._append(chunk)
                self._work()

    def _append(self, found: list[Event]) -> None:
        self._db.execute("BEGIN IMMEDIATE")
        for start in range(0, len(found), ENTRY):
            part = found[start : start + ENTRY]
            self._tail += len(part)
            self._db.execute("INSERT INTO entries VALUES (?, ?)", (self._tail, events.encode(part)))
        self._db.execute("COMMIT")

    def round(self) -> Round:
        self._append(self._source.some(self._events))
        began = time.perf_counter()
        done = self._work()
        took = time.perf_counter() - began
        assert done == self._events
        return Round(done, took)

    def close(self) -> None:
        self._db.close()

    def row(self, key: str) -> Row:
        return self._cache.load([key])[key]

    def commands(self) -> list[dict[str, Any]]:
        bodies = self._db.execute("SELECT body FROM outputs ORDER BY id").fetchall()
        return [msgspec.json.decode(line) for (body,) in bodies for line in body.splitlines()]

    def _work(self) -> int:
        done = 0
        while orders := self._read():
            self._step(orders)
            done += len(orders)
        return done

    def _read(self) -> list[Order]:
        found: list[Order] = []
        for (body,) in self._db.execute("SELECT body FROM entries WHERE id > ? ORDER BY id", (self._position,)):
            found += decode_orders(body)
            if len(found) >= BATCH:
                break
        return found

    def _step(self, orders: list[Order]) -> None:
        rows = self._cache.load([order.key for order in orders])
        dirty, fresh, commands = self._rules.step(orders, rows)
        self._commit(self._position + len(orders), [(key, encode_row(rows[key])) for key in dirty], fresh, commands)

    def _commit(
        self, end: int, changed: list[tuple[str, bytes]], fresh: list[int], commands: list[dict[str, Any]]
    ) -> None:
        db = self._db
        delta = encode_row((changed, array("Q", fresh).tobytes()))
        db.execute("BEGIN IMMEDIATE")
        moved = db.execute("UPDATE position SET position = ? WHERE epoch = 1 AND position = ?", (end, self._position))
        assert moved.rowcount == 1
        db.execute("INSERT INTO deltas VALUES (?, ?)", (end, delta))
        if commands:
            self._outputs += len(commands)
            db.execute("INSERT INTO outputs VALUES (?, ?)", (self._outputs, encode_commands(commands)))
        db.execute("COMMIT")
        self._position = end
        self._cache.overlay.update(changed)
        self._cache.committed()
        if len(self._cache.overlay) >= OVERLAY:
            self.flush()

    def flush(self) -> None:
        db = self._db
        db.execute("BEGIN IMMEDIATE")
        db.executemany("INSERT OR REPLACE INTO rows VALUES (?, ?)", sorted(self._cache.overlay.items()))
        db.execute("DELETE FROM deltas")
        db.execute("COMMIT")
        self._cache.overlay = {}
