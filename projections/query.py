"""Answers from the query tables: one row by key, commands by id or as a list.

The HTTP routes call it, from any thread; it never waits for the feeder. Answers may be behind the log and say how far
they are (`as_of`).
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any, Final, NamedTuple

import msgspec

from projections.store import CommandFilter as CommandFilter
from projections.store import Place, QueryStore
from projections.table import QueryTable
from streams.keys import partition_of
from streams.position import Position

MOST: Final = 1_000
"""Commands in one page."""


class QueryError(ValueError):
    """The question makes no sense; the text says why and what to ask."""


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


class Queries:
    def __init__(self, store: QueryStore, generation: Callable[[], int] | None = None) -> None:
        """`generation` of the log, which may grow while the tables are open."""
        self._store = store
        self._generation = generation or (lambda: store.info.generation)
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
            raise QueryError("the key holds a lone surrogate: ask for a key in valid Unicode") from None
        text, position = self._store.row(table, partition, key)
        as_of = Position(self._generation(), partition, position)
        return Row(key, msgspec.json.decode(text) if text is not None else None, as_of)

    def command(self, id: str) -> dict[str, Any] | None:
        """The summary of a command; None if there is none, or not yet."""
        found = self._store.command(id) if _valid(id) else None
        return msgspec.json.decode(found) if found is not None else None

    def commands(self, filter: CommandFilter, limit: int = 100, cursor: str | None = None) -> Page:
        """Newest first by firing time, equal times by id, so that a page never repeats what the one before had; a
        command decided meanwhile with an earlier firing time appears on later pages. Raises QueryError."""
        if not 1 <= limit <= MOST:
            raise QueryError(f"a limit of {limit} is not possible: ask for 1 to {MOST}")
        if not all(value is None or _valid(value) for value in (filter.state, filter.to, filter.rule, filter.key)):
            raise QueryError("a filter holds a lone surrogate: ask in valid Unicode")
        after = _read_cursor(cursor) if cursor is not None else None
        found = self._store.commands(filter, limit + 1, after)
        more = _write_cursor(found[limit - 1].place) if len(found) > limit else None
        return Page([msgspec.json.decode(summary) for _, summary in found[:limit]], more)

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
    return base64.urlsafe_b64encode(msgspec.json.encode(place)).decode().rstrip("=")


def _read_cursor(text: str) -> Place:
    try:
        padded = text.encode("ascii") + b"=" * (-len(text) % 4)
        place = msgspec.json.decode(base64.b64decode(padded, altchars=b"-_", validate=True), type=Place)
    except (ValueError, msgspec.MsgspecError):
        raise QueryError("the cursor is none of ours: use `next` of the page before, unchanged") from None
    if abs(place.at) >= 2**63:
        raise QueryError("the cursor is none of ours: use `next` of the page before, unchanged")
    return place
