"""Pages of a filtered, sorted list: through `Queries`, and as the same SQL by hand over a table made for it.

The rows are the same, orders with a status and an amount. By hand they lie in a table with a column each. Its indexes
are those that ours has, one for each field, and the statement names the one by amount, which is the better choice.
`fitted` is a table with an index over both fields, made for this question and no other, which finds exactly the rows of
a page.
"""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from statistics import quantiles
from time import perf_counter

import msgspec

from bench.contestants import Round
from projections.order import code
from projections.query import Queries
from projections.store import Write
from projections.stores.sqlite.store import QueryStore
from projections.table import RULES, QueryTable, RowChange
from streams.keys import partition_of
from streams.log import LogInfo

PAGE = 50
PARTITIONS = 8
STATES = ("open", "paid", "late", "closed")
CHUNK = 50_000
TABLE = QueryTable("orders", "orders", ("status", "amount"), (("status", "string"), ("amount", "number")))


def orders(count: int) -> Iterator[tuple[str, str, float, str]]:
    """(key, status, amount, JSON)."""
    chance = random.Random(1)
    for number in range(count):
        status, amount = chance.choice(STATES), chance.randrange(1_000_000) / 100
        row = {"status": status, "amount": amount, "customer": f"customer-{number % 5_000:07d}", "items": number % 20}
        yield f"order-{number:09d}", status, amount, msgspec.json.encode(row).decode()


def questions(count: int, seed: int) -> list[tuple[str, float]]:
    """A status, and what the amount must exceed."""
    chance = random.Random(seed)
    return [(chance.choice(STATES), float(chance.randrange(5_000))) for _ in range(count)]


class _Asked:
    def __init__(self, requests: int) -> None:
        self._requests = requests
        self._turn = 0

    def page(self, status: str, least: float) -> int:
        """How many rows it had."""
        raise NotImplementedError

    def round(self) -> Round:
        self._turn += 1
        times = []
        for status, least in questions(self._requests, self._turn):
            began = perf_counter()
            assert self.page(status, least) == PAGE
            times.append(perf_counter() - began)
        return Round(len(times), sum(times), {"p99": quantiles(times, n=100, method="inclusive")[98]})


class Ours(_Asked):
    def __init__(self, folder: str, rows: int, requests: int) -> None:
        super().__init__(requests)
        info = LogInfo("bench", 1, PARTITIONS)
        self._store = QueryStore(Path(folder, "query.db"), info, [TABLE], notice=print)
        chunk: list[tuple[str, str, float, str]] = []
        self._ends = [0] * PARTITIONS
        for order in orders(rows):
            chunk.append(order)
            if len(chunk) == CHUNK:
                self._show(chunk)
                chunk = []
        self._show(chunk)
        self._queries = Queries(self._store)

    def _show(self, chunk: list[tuple[str, str, float, str]]) -> None:
        of: list[list[RowChange]] = [[] for _ in range(PARTITIONS)]
        for key, status, amount, text in chunk:
            of[partition_of(key, PARTITIONS)].append(RowChange(TABLE, key, text, 1, (code(status), code(amount))))
        writes = [Write(at, RULES, self._ends[at], self._ends[at] + 1, rows) for at, rows in enumerate(of)]
        assert all(self._store.apply(writes))
        self._ends = [end + 1 for end in self._ends]

    def page(self, status: str, least: float) -> int:
        filters = (("status", status), ("amount__gt", str(least)))
        return len(self._queries.rows("orders", filters, "-amount", PAGE).rows)

    def close(self) -> None:
        self._store.close()


class ByHand(_Asked):
    def __init__(self, folder: str, rows: int, requests: int, fitted: bool = False) -> None:
        super().__init__(requests)
        self._index = "by_both" if fitted else "by_amount"
        self._db = sqlite3.connect(Path(folder, f"{self._index}.db"), isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("CREATE TABLE orders (key TEXT PRIMARY KEY, status TEXT, amount REAL, row TEXT) WITHOUT ROWID")
        fields = ("by_both (status, amount)",) if fitted else ("by_amount (amount)", "by_status (status)")
        for field in fields:
            self._db.execute(f"CREATE INDEX {field.replace(' (', ' ON orders (')}")
        self._db.execute("BEGIN")
        self._db.executemany("INSERT INTO orders VALUES (?, ?, ?, ?)", orders(rows))
        self._db.execute("COMMIT")

    def page(self, status: str, least: float) -> int:
        found = self._db.execute(
            f"SELECT key, row FROM orders INDEXED BY {self._index} WHERE status = ? AND amount > ? "
            "ORDER BY amount DESC, key DESC LIMIT ?",
            (status, least, PAGE),
        ).fetchall()
        return len([{"key": key, "row": msgspec.json.decode(row)} for key, row in found])

    def close(self) -> None:
        self._db.close()
