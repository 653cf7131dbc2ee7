"""Answers from the query tables: one row by key, lists of rows, commands by id or as a list.

The HTTP routes call it, from any thread; it never waits for the feeder. Answers may be behind the log and say how far
they are (`as_of`).
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import msgspec

from projections.filters import QueryError as QueryError
from projections.filters import check_text, row_query
from projections.store import CommandFilter as CommandFilter
from projections.store import Place, QueryStore, RowPlace
from projections.table import QueryTable
from streams.keys import partition_of
from streams.position import Position

MOST: Final = 1_000
"""Commands, or rows, in one page."""


class Row(NamedTuple):
    key: str
    row: dict[str, Any] | None
    """None: there is no row of this key."""
    as_of: Position
    """All commits up to here are in the answer."""


class Page(NamedTuple):
    commands: list[dict[str, Any]]
    next: str | None
    """The cursor of the next page; None after the last."""


class KeyedRow(NamedTuple):
    key: str
    row: dict[str, Any]


class RowPage(NamedTuple):
    rows: list[KeyedRow]
    next: str | None
    """The cursor of the next page; None after the last."""
    as_of: list[Position]
    """Of each partition: all commits up to there are in the answer, and none beyond."""


@dataclass(frozen=True, slots=True)
class ProjectionInfo:
    name: str
    fields: dict[str, str]
    """Field → kind (`QueryTable.fields`); empty where nothing is known."""
    index: list[str]
    rows: int
    lag: int
    """Events in the log, of all partitions, that its rows do not show yet."""


class _Cursor(msgspec.Struct, array_like=True):
    sort: str
    code: bytes
    key: str


class Queries:
    def __init__(
        self,
        store: QueryStore,
        generation: Callable[[], int] | None = None,
        tails: Callable[[], Mapping[int, int]] | None = None,
    ) -> None:
        """Of the log: `generation` may grow while the tables are open, `tails` are the last offsets of partitions."""
        self._store = store
        self._generation = generation or (lambda: store.info.generation)
        self._tails: Callable[[], Mapping[int, int]] = tails or dict
        self._tables = {table.name: table for table in store.tables}

    @property
    def names(self) -> list[str]:
        """Of the projections."""
        return sorted(self._tables)

    def position(self, partition: int, processor: str) -> int:
        """Up to which commit of a processor the tables show everything."""
        return self._store.position(partition, processor)

    def row(self, name: str, key: str) -> Row:
        """Raises QueryError for a projection that does not exist or a key that is not valid Unicode."""
        table = self._table(name)
        try:
            partition = partition_of(key, self._store.info.partitions)
        except UnicodeEncodeError:
            raise QueryError("the key holds a lone surrogate: ask for a key in valid Unicode", "key") from None
        text, position = self._store.row(table, partition, key)
        as_of = Position(self._generation(), partition, position)
        return Row(key, msgspec.json.decode(text) if text is not None else None, as_of)

    def projections(self) -> list[ProjectionInfo]:
        """By name. Raises LogError and QueryStoreError."""
        tables = [self._tables[name] for name in self.names]
        shown = [self._store.positions(table) for table in tables]
        tails = self._tails()  # after the positions, which never pass them
        return [
            ProjectionInfo(
                table.name,
                dict(table.fields),
                list(table.index),
                self._store.count(table),
                sum(max(0, tails.get(partition, at) - at) for partition, at in enumerate(positions)),
            )
            for table, positions in zip(tables, shown, strict=True)
        ]

    def rows(
        self,
        name: str,
        filters: Iterable[tuple[str, str]] = (),
        sort: str | None = None,
        limit: int = 100,
        cursor: str | None = None,
    ) -> RowPage:
        """Rows that fulfil all filters (`filters.py`), by a field or `key`, equal values by key; `-field` goes down.
        The next page begins after the place where the last row of this one stood: a row that does not change meanwhile
        is on one page, once. Raises QueryError."""
        table = self._table(name)
        if not 1 <= limit <= MOST:
            raise QueryError(f"a limit of {limit} is not possible: ask for 1 to {MOST}", "limit")
        if sort is not None:
            check_text(sort, "sort")
        query = row_query(table, filters, sort)
        order = f"{'-' * query.descending}{query.sort}"
        after = _read_row_cursor(cursor, order) if cursor is not None else None
        found, positions = self._store.rows(table, query, limit + 1, after)
        page = [KeyedRow(row.place.key, msgspec.json.decode(row.text)) for row in found[:limit]]
        more = _row_cursor(order, found[limit - 1].place) if len(found) > limit else None
        generation = self._generation()
        return RowPage(page, more, [Position(generation, partition, at) for partition, at in enumerate(positions)])

    def command(self, id: str) -> dict[str, Any] | None:
        """The summary of a command; None if there is none, or not yet."""
        found = self._store.command(id) if _valid(id) else None
        return msgspec.json.decode(found) if found is not None else None

    def commands(self, filter: CommandFilter, limit: int = 100, cursor: str | None = None) -> Page:
        """Newest first by firing time, equal times by id, so that a page never repeats what the one before had; a
        command decided meanwhile with an earlier firing time appears on later pages. Raises QueryError."""
        if not 1 <= limit <= MOST:
            raise QueryError(f"a limit of {limit} is not possible: ask for 1 to {MOST}", "limit")
        if not all(value is None or _valid(value) for value in (filter.state, filter.to, filter.rule, filter.key)):
            raise QueryError("a filter holds a lone surrogate: ask in valid Unicode")
        after = _read_cursor(cursor) if cursor is not None else None
        found = self._store.commands(filter, limit + 1, after)
        more = _write_cursor(found[limit - 1].place) if len(found) > limit else None
        return Page([msgspec.json.decode(summary) for _, summary in found[:limit]], more)

    def count_open(self, targets: Sequence[str], states: Sequence[str]) -> dict[str, dict[str, int]]:
        """As the store."""
        return self._store.count_open(targets, states)

    def _table(self, name: str) -> QueryTable:
        try:
            return self._tables[name]
        except KeyError:
            there = ", ".join(self.names) or "none"
            raise QueryError(f"there is no projection `{name}`; there are: {there}") from None


def _valid(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _write_cursor(place: Place) -> str:
    return _text(msgspec.json.encode(place))


def _read_cursor(text: str) -> Place:
    try:
        place = msgspec.json.decode(_bytes(text), type=Place)
    except (ValueError, msgspec.MsgspecError):
        raise _no_cursor() from None
    if abs(place.at) >= 2**63:
        raise _no_cursor()
    return place


def _row_cursor(order: str, place: RowPlace) -> str:
    return _text(msgspec.msgpack.encode(_Cursor(order, place.code, place.key)))


def _read_row_cursor(text: str, order: str) -> RowPlace:
    try:
        found = msgspec.msgpack.decode(_bytes(text), type=_Cursor)
    except (ValueError, msgspec.MsgspecError):
        raise _no_cursor() from None
    if found.sort != order:
        raise QueryError(
            f"the cursor is of a list sorted by `{found.sort[:80]}`: send the same `sort` for all pages", "cursor"
        )
    return RowPlace(found.code, found.key)


def _text(place: bytes) -> str:
    return base64.urlsafe_b64encode(place).decode().rstrip("=")


def _bytes(text: str) -> bytes:
    """Raises ValueError."""
    return base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)


def _no_cursor() -> QueryError:
    return QueryError("the cursor is none of ours: use `next` of the page before, unchanged", "cursor")
