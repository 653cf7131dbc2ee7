"""Lists of rows from the file: which index is walked, and the statements for it.

Sorted by a field, the index by (code, key) is walked in the list's order and the other conditions are looked at row by
row: where they take common values, a page is full soon. Where it is not after HOPE rows, one of them may find few rows:
they are counted, up to FEW, and the least of those are sorted instead; else the walk goes on to the end.
Sorted by key, the partitions are walked side by side and merged: their order is that of the table itself.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from heapq import merge
from itertools import islice
from operator import itemgetter
from typing import Any, Final, NamedTuple

from projections.spans import EVERYTHING, Spans, singles
from projections.store import Condition, ListedRow, RowPlace, RowQuery
from projections.stores.sqlite.schema import column, index_name, table_name
from projections.table import KEY, QueryTable

HOPE: Final = 1_000
FEW: Final = 5_000
_key: Final = itemgetter(1)


class _Test(NamedTuple):
    """A condition of SQL, and its values."""

    sql: str
    values: list[Any]


_TRUE: Final = _Test("1", [])


def rows(
    db: sqlite3.Connection, table: QueryTable, query: RowQuery, partitions: int, limit: int, after: RowPlace | None
) -> list[ListedRow]:
    """As `QueryStore.rows`, in the transaction of the connection."""
    if not all(condition.spans for condition in query.conditions):
        return []
    lists = _Lists(db, table, query, partitions, limit, after)
    found = lists.hopeful()
    if len(found) < limit:
        found = lists.whole()
    return [ListedRow(RowPlace(code, key), text) for code, key, text in found]


_Found = tuple[bytes, str, str]
"""Code, key, JSON."""


class _Lists:
    def __init__(
        self,
        db: sqlite3.Connection,
        table: QueryTable,
        query: RowQuery,
        partitions: int,
        limit: int,
        after: RowPlace | None,
    ) -> None:
        self._db = db
        self._table = table
        self._name = table_name(table.id)
        self._partitions = partitions
        self._limit = limit
        self._sort = query.sort
        self._down = query.descending
        self._direction = "DESC" if query.descending else "ASC"
        self._conditions = {condition.field: condition for condition in query.conditions}
        self._walked = self._walk(after)

    def hopeful(self) -> list[_Found]:
        """The page, if it is full within HOPE rows; else perhaps less."""
        # Without other conditions the walk itself is the list; of partitions, one may end before it could be merged.
        nothing_else = len(self._conditions) == (self._sort in self._conditions)
        return [] if nothing_else or self._sort == KEY else self._by_walk(HOPE)

    def whole(self) -> list[_Found]:
        counts = {
            field: self._count(condition)
            for field, condition in self._conditions.items()
            if field not in (KEY, self._sort) and (len(condition.spans) == 1 or singles(condition.spans))
        }
        few = min(counts, key=counts.__getitem__) if counts else None
        if few is None or counts[few] > FEW:
            return self._by_walk(None)
        return self._by_sorting(few)

    def _count(self, condition: Condition) -> int:
        """Up to FEW and one."""
        place = self._table.index.index(condition.field)
        test = _test(column(place), condition.spans)
        inner = f"SELECT 1 FROM {self._name} INDEXED BY {index_name(self._table.id, place)} WHERE {test.sql}"  # noqa: S608
        found = self._db.execute(f"SELECT count(*) FROM ({inner} LIMIT {FEW + 1})", test.values).fetchone()  # noqa: S608
        return int(found[0])

    def _walk(self, after: RowPlace | None) -> _Test:
        """What of the walked index is looked at: from the first to the last that the sorted field's condition takes,
        after the place where the page before ended."""
        spans = self._conditions[self._sort].spans if self._sort in self._conditions else EVERYTHING
        low, high = spans[0].low, spans[-1].high
        by_key = self._sort == KEY
        what = "key" if by_key else column(self._table.index.index(self._sort))
        tests: list[_Test] = []
        begin, end = f"{what} >= ?", f"{what} < ?"
        if after is not None:
            at = after.key.encode() if by_key else after.code
            place, values = (what, [after.key]) if by_key else (f"({what}, key)", [after.code, after.key])
            mark = "(?)" if by_key else "(?, ?)"
            # One bound at each end, or the walk would begin at the looser one.
            if self._down and (high is None or at < high):
                tests.append(_Test(f"{place} < {mark}", values))
                high = None
            elif not self._down and at >= low:
                tests.append(_Test(f"{place} > {mark}", values))
                low = b""
        if low:
            tests.append(_Test(begin, [low.decode() if by_key else low]))
        if high is not None:
            tests.append(_Test(end, [high.decode() if by_key else high]))
        return _all(tests)

    def _others(self, but: str | None) -> _Test:
        """All conditions, so that no index is used for them: `+` keeps the planner from it."""
        tests = []
        for field, condition in self._conditions.items():
            if field == but or (field == self._sort and len(condition.spans) == 1):
                continue
            what = "key" if field == KEY else column(self._table.index.index(field))
            tests.append(_test(f"+{what}", condition.spans, text=field == KEY))
        return _all(tests)

    def _by_walk(self, most: int | None) -> list[_Found]:
        """`most` rows are looked at."""
        if self._sort == KEY:
            return self._by_key()
        others = self._others(None)
        number = self._table.index.index(self._sort)
        at, direction = column(number), self._direction
        source = f"{self._name} INDEXED BY {index_name(self._table.id, number)}"
        order = f"ORDER BY {at} {direction}, key {direction}"
        values = (*self._walked.values, *others.values, self._limit)
        if most is None:
            sql = f"SELECT {at}, key, row FROM {source} WHERE {self._walked.sql} AND {others.sql} {order} LIMIT ?"  # noqa: S608
            return self._db.execute(sql, values).fetchall()
        columns = ", ".join(["key", "row", *(column(number) for number in range(len(self._table.index)))])
        walk = f"SELECT {columns} FROM {source} WHERE {self._walked.sql} {order} LIMIT {most}"  # noqa: S608
        return self._db.execute(f"SELECT {at}, key, row FROM ({walk}) WHERE {others.sql} LIMIT ?", values).fetchall()  # noqa: S608

    def _by_key(self) -> list[_Found]:
        others = self._others(None)
        sql = (
            f"SELECT x'', key, row FROM {self._name} WHERE partition = ? AND {self._walked.sql} "  # noqa: S608
            f"AND {others.sql} ORDER BY key {self._direction}"
        )
        values = (*self._walked.values, *others.values)
        walks: list[Iterator[_Found]] = [
            self._db.execute(sql, (partition, *values)) for partition in range(self._partitions)
        ]
        return list(islice(merge(*walks, key=_key, reverse=self._down), self._limit))

    def _by_sorting(self, field: str) -> list[_Found]:
        """The rows that one condition finds, sorted."""
        place = self._table.index.index(field)
        driver = _test(column(place), self._conditions[field].spans)
        others = self._others(field)
        at = "x''" if self._sort == KEY else column(self._table.index.index(self._sort))
        direction, walked = self._direction, self._walked
        sql = (
            f"SELECT {at}, key, row FROM {self._name} INDEXED BY {index_name(self._table.id, place)} "  # noqa: S608
            f"WHERE {driver.sql} AND {walked.sql} AND {others.sql} "
            f"ORDER BY {'' if self._sort == KEY else f'+{at} {direction}, '}+key {direction} LIMIT ?"
        )
        return self._db.execute(sql, (*driver.values, *walked.values, *others.values, self._limit)).fetchall()


def _test(what: str, spans: Spans, text: bool = False) -> _Test:
    """Whether a column is in one of the spans. `text`: they are of keys."""

    def value(place: bytes) -> bytes | str:
        return place.decode() if text else place

    places = singles(spans)
    if places is not None:
        return _Test(f"{what} IN ({', '.join('?' * len(places))})", [value(place) for place in places])
    tests = []
    for low, high in spans:
        bounds = [_Test(f"{what} >= ?", [value(low)])] if low else []
        if high is not None:
            bounds.append(_Test(f"{what} < ?", [value(high)]))
        tests.append(_all(bounds))
    return _Test(f"({' OR '.join(f'({each.sql})' for each in tests)})", [v for each in tests for v in each.values])


def _all(tests: Sequence[_Test]) -> _Test:
    if not tests:
        return _TRUE
    return _Test(" AND ".join(test.sql for test in tests), [value for test in tests for value in test.values])
