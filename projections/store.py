"""The contract of a store of query tables, kept by every backend and tested by one suite (`tests/projections`).

A store shows, for each partition, the rows of the projections it was opened with (processor `rules`) and the commands
(processor `delivery`), each with the position up to which it shows everything.

Promised: a position never covers what is not shown; a write happens whole, and only if the position is still where the
writer began, so two writers never mix, whether threads or processes; while something is replaced, readers see what was
there before. Not promised: one moment over several partitions; that anything survives (all of it can be made again from
the log).

Calls block, at most for the backend's time limits, and may come from any thread. They raise QueryStoreError. Texts are
valid Unicode.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from projections.spans import Spans
from projections.table import KEY, CommandRow, QueryTable, RowChange
from streams.log import LogInfo


class QueryStoreError(Exception):
    """The query tables cannot be used; the text says why and what to do."""


class QueryStoreUnavailable(QueryStoreError):
    """The store did not answer within its time limit, and may later: repeat."""


class QueryStoreBusy(QueryStoreUnavailable):
    """Somebody else is writing or replacing the same: repeat."""


@dataclass(frozen=True, slots=True)
class CommandFilter:
    """All that are given must hold."""

    state: str | None = None
    to: str | None = None
    rule: str | None = None
    key: str | None = None
    since: int | None = None
    """Microseconds: the firing time is not before…"""
    until: int | None = None
    """…and is before."""


class Place(NamedTuple):
    """Where a command stands in a list: newest first by firing time (microseconds), equal times by id (code points)."""

    at: int
    id: str


class Listed(NamedTuple):
    place: Place
    summary: str


class Condition(NamedTuple):
    """Values of a field of the table's `index`, or keys (`KEY`), that are in one of the spans."""

    field: str
    spans: Spans


class RowPlace(NamedTuple):
    """Where a row stands in a list: by the code of the value that it is sorted by (b"" for the key), then by key (code
    points)."""

    code: bytes
    key: str


@dataclass(frozen=True, slots=True)
class RowQuery:
    """All conditions must hold, each about another field. `sort` is a field of the table's `index`, or `KEY`."""

    conditions: tuple[Condition, ...] = ()
    sort: str = KEY
    descending: bool = False


class ListedRow(NamedTuple):
    place: RowPlace
    text: str
    """JSON."""


class Listing(NamedTuple):
    rows: list[ListedRow]
    positions: list[int]
    """Of each partition: up to where the list shows all commits, and none beyond."""


class Write(NamedTuple):
    """What the commits of one processor of one partition from `start` to `end` changed, of each row the last. `gone`
    are ids of commands that are no more."""

    partition: int
    processor: str
    start: int
    end: int
    rows: Sequence[RowChange] = ()
    commands: Sequence[CommandRow] = ()
    gone: Sequence[str] = ()


class Replacement(Protocol):
    """What takes the place of one processor's rows in one partition. Ends by setting `position`."""

    position: int | None

    def add(self, rows: Sequence[RowChange] = (), commands: Sequence[CommandRow] = ()) -> None: ...


class QueryStore(Protocol):
    @property
    def info(self) -> LogInfo:
        """Of the log whose tables these are, as of when they were opened."""
        ...

    @property
    def tables(self) -> Sequence[QueryTable]: ...

    # -- writing

    def apply(self, writes: Sequence[Write]) -> list[bool]:
        """Shows each, unless the position is no longer its `start`: somebody else was here. Which were shown."""
        ...

    def replace(self, partition: int, processor: str) -> AbstractContextManager[Replacement]:
        """Throws away what is shown of one processor of one partition and takes what is shown instead: queries see the
        old rows until the block ends well, and no other writer comes between. What is replaced is decided when the
        block begins: a position that is read from the log inside it is never behind what was shown."""
        ...

    # -- reading

    def position(self, partition: int, processor: str) -> int:
        """0 where nothing is shown yet."""
        ...

    def row(self, table: QueryTable, partition: int, key: str) -> tuple[str | None, int]:
        """The row as JSON text, None if there is none, and the position that it shows everything up to."""
        ...

    def command(self, id: str) -> str | None:
        """The summary."""
        ...

    def commands(self, filter: CommandFilter, limit: int, after: Place | None = None) -> list[Listed]:
        """The first `limit` commands that stand after that place; fewer only if there are no more."""
        ...

    def rows(self, table: QueryTable, query: RowQuery, limit: int, after: RowPlace | None = None) -> Listing:
        """The first `limit` rows that stand after that place, in the query's order (descending: before it); fewer only
        if there are no more."""
        ...

    def positions(self, table: QueryTable) -> list[int]:
        """Of each partition, up to where the table shows everything."""
        ...

    def count(self, table: QueryTable) -> int: ...

    def count_open(self, targets: Sequence[str], states: Sequence[str]) -> dict[str, dict[str, int]]:
        """Target → state → how many commands. Of states that are not SETTLED; costs the same however many there
        are."""
        ...

    def count_commands(self) -> int: ...

    def close(self) -> None: ...
