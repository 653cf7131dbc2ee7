"""A pool of reading connections: each call borrows one, so that no reader waits for another or for the writer.

As many are open as calls were ever under way at once; idle ones hold no transaction. Any thread may borrow.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from streams.log import LogUnavailable


class Readers:
    def __init__(self, connect: Callable[[], sqlite3.Connection]) -> None:
        self._connect = connect
        self._idle: list[sqlite3.Connection] = []
        self._lock = threading.Lock()
        self._closed = False

    @contextmanager
    def borrow(self) -> Iterator[sqlite3.Connection]:
        """Raises LogUnavailable when the log is closed."""
        try:
            db = self._idle.pop()
        except IndexError:
            db = self._connect()
        try:
            if self._closed:
                raise LogUnavailable("the log is closed")
            yield db
        finally:
            if db.in_transaction:
                db.execute("ROLLBACK")
            self._return(db)

    def _return(self, db: sqlite3.Connection) -> None:
        with self._lock:
            if not self._closed:
                self._idle.append(db)
                return
        db.close()

    def close(self) -> None:
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for db in idle:
            db.close()
