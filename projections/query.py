"""Answers from the query tables: one row by key, commands by id or as a list.

The HTTP routes call it, from any thread; it reads on connections of its own and never waits for the feeder. Answers may
be behind the log and say how far they are (`as_of`).
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import msgspec

from projections.stores.sqlite import QueryStore
from projections.stores.sqlite_schema import OPEN, table_name
from projections.table import RULES, QueryTable
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


@dataclass(frozen=True, slots=True)
class CommandFilter:
    """All that are given must hold."""

    state: str | None = None
    to: str | None = None
    rule: str | None = None
    key: str | None = None


class Page(NamedTuple):
    commands: list[dict[str, Any]]
    next: str | None
    """The cursor of the next page; None after the last."""


class Queries:
    def __init__(self, store: QueryStore) -> None:
        self._store = store
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
        info = self._store.info
        try:
            partition = partition_of(key, info.partitions)
        except UnicodeEncodeError:
            raise QueryError("the key holds a lone surrogate: ask for a key in valid Unicode") from None
        with self._store.reading() as db:
            select = f"SELECT row FROM {table_name(table.id)} WHERE partition = ? AND key = ?"  # noqa: S608
            found = db.execute(select, (partition, key)).fetchone()
            position = db.execute(
                "SELECT position FROM positions WHERE partition = ? AND processor = ?", (partition, RULES)
            ).fetchone()
        as_of = Position(info.generation, partition, position[0] if position else 0)
        return Row(key, msgspec.json.decode(found[0]) if found else None, as_of)

    def command(self, id: str) -> dict[str, Any] | None:
        """The summary of a command; None if there is none, or not yet."""
        with self._store.reading() as db:
            try:
                found = db.execute("SELECT summary FROM commands WHERE id = ?", (id,)).fetchone()
            except UnicodeEncodeError:
                return None
        return msgspec.json.decode(found[0]) if found else None

    def commands(self, filter: CommandFilter, limit: int = 100, cursor: str | None = None) -> Page:
        """Newest first by firing time, equal times by id, so that a page never repeats what the one before had; a
        command decided meanwhile with an earlier firing time appears on later pages. Raises QueryError."""
        if not 1 <= limit <= MOST:
            raise QueryError(f"a limit of {limit} is not possible: ask for 1 to {MOST}")
        where, values = _conditions(filter)
        if cursor is not None:
            where.append("(at, id) < (?, ?)")
            values += _read_cursor(cursor)
        condition = f"WHERE {' AND '.join(where)} " if where else ""
        with self._store.reading() as db:
            try:
                found = db.execute(
                    f"SELECT at, id, summary FROM commands {condition}ORDER BY at DESC, id DESC LIMIT ?",  # noqa: S608
                    (*values, limit + 1),
                ).fetchall()
            except UnicodeEncodeError:
                raise QueryError("a filter holds a lone surrogate: ask in valid Unicode") from None
        shown = found[:limit]
        more = _write_cursor(*shown[-1][:2]) if len(found) > limit else None
        return Page([msgspec.json.decode(summary) for _, _, summary in shown], more)

    def _table(self, name: str) -> QueryTable:
        try:
            return self._tables[name]
        except KeyError:
            there = ", ".join(self.names) or "none"
            raise QueryError(f"there is no projection `{name}`; there are: {there}") from None


def _conditions(filter: CommandFilter) -> tuple[list[str], list[Any]]:
    where: list[str] = []
    values: list[Any] = []
    for column, value in (("target", filter.to), ("rule", filter.rule), ("key", filter.key), ("state", filter.state)):
        if value is not None:
            where.append(f"{column} = ?")
            values.append(value)
    if filter.state is not None and filter.state not in ("done", "shadow"):
        where.append(OPEN)  # said again, so that the index over the others can be used
    return where, values


def _write_cursor(at: int, id: str) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode((at, id))).decode().rstrip("=")


def _read_cursor(text: str) -> tuple[int, str]:
    try:
        padded = text.encode("ascii") + b"=" * (-len(text) % 4)
        at, id = msgspec.json.decode(base64.b64decode(padded, altchars=b"-_", validate=True), type=tuple[int, str])
    except (ValueError, msgspec.MsgspecError):
        raise QueryError("the cursor is none of ours: use `next` of the page before, unchanged") from None
    if abs(at) >= 2**63:
        raise QueryError("the cursor is none of ours: use `next` of the page before, unchanged")
    return at, id
