"""All inputs of a table, as few of them as matter: which rows fit where, and whether some rows leave a place free.

The constants of a column cut its values into pieces (`rules.tables.columns`); one value stands for each piece, and
pieces with the same rows are one. A place is a piece of each column. The search for a place that no row covers goes
through the columns, with the rows that are not ruled out yet; it is exact, and gives up when its `Patience` is lost:
tables of a thousand rows take a fraction of a second, but there are some that would take for ever.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, Final

from rules.cel.types import ANY, BOOL, INTEGER, NULL, NUMBER, STRING, Type, family
from rules.cel.values import DURATION, TIMESTAMP
from rules.model.table import CellConstant, Table
from rules.tables.columns import Column

MOST_ROWS: Final = 5_000
"""Larger tables are not searched."""
_EARLIEST: Final = datetime.min.replace(tzinfo=UTC)
_LATEST: Final = datetime.max.replace(tzinfo=UTC)
_TICK: Final = timedelta(microseconds=1)


@dataclass(slots=True)
class Patience:
    """Steps that a search may still take: about ten million a second."""

    steps: int

    def lost(self, steps: int) -> bool:
        self.steps -= steps
        return self.steps < 0


@dataclass(frozen=True, slots=True)
class Piece:
    value: Any
    """One of those that it stands for."""
    rows: int
    """Bits of the rows whose cell is not false for it."""


class Grid:
    def __init__(self, table: Table, kinds: Sequence[Type], others: Sequence[bool]) -> None:
        """`kinds` is what is known of the inputs; `others` says of which values of other kinds count, too."""
        self._end = len(table.rows)
        self.columns: list[list[Piece]] = []
        for place, kind in enumerate(kinds):
            column = Column([row.cells[place] for row in table.rows])
            pieces: dict[int, Piece] = {}
            values: list[Any] = [*_samples(column, kind), *((None, []) if others[place] else ())]
            for value in values:
                rows, _ = column.look(value)
                pieces.setdefault(rows, Piece(value, rows))
            self.columns.append(list(pieces.values()))

    def free(self, rows: int, columns: list[list[Piece]], patience: Patience) -> list[Piece] | None:
        """A place among these columns that none of the rows covers, as the pieces that rule all of them out; columns
        behind its last one do not matter. None if there is none, or patience is lost."""
        everywhere = [rows] * (len(columns) + 1)
        for depth in range(len(columns) - 1, -1, -1):
            everywhere[depth] = everywhere[depth + 1] & _common(columns[depth])
        seen: list[set[int]] = [set() for _ in columns]
        way: list[Piece] = []
        left = [rows]
        todo = [iter(columns[0])]
        if not rows:
            return []
        while todo:
            depth = len(todo) - 1
            for piece in todo[-1]:
                if patience.lost(1):
                    return None
                still = left[-1] & piece.rows
                if not still:
                    return [*way, piece]
                if depth + 1 == len(columns) or still & everywhere[depth + 1] or still in seen[depth]:
                    continue
                seen[depth].add(still)
                way.append(piece)
                left.append(still)
                todo.append(iter(columns[depth + 1]))
                break
            else:
                todo.pop()
                left.pop()
                if way:
                    way.pop()
        return None

    def before(self, place: int) -> int:
        """The bits of the rows before one."""
        return (1 << self._end) - (1 << (self._end - place))

    def place(self, rows: int) -> int:
        """Of the first of some rows."""
        return self._end - rows.bit_length()

    def of_row(self, place: int) -> list[list[Piece]]:
        """Its part of the grid: where none of its cells is false."""
        bit = 1 << (self._end - 1 - place)
        return [[piece for piece in column if piece.rows & bit] for column in self.columns]


def covering(columns: list[list[Piece]], rows: int) -> int:
    """Those of the rows that are everywhere in these columns."""
    for column in columns:
        rows &= _common(column)
    return rows


def _common(column: list[Piece]) -> int:
    found = -1
    for piece in column:
        found &= piece.rows
    return found


def _samples(column: Column, kind: Type) -> Iterator[CellConstant]:
    """A value for each piece of the kinds that can come: of the one that is known, or of those that cells name."""
    known = family(kind) if kind is not ANY else None
    kinds = list(column.points) if known is None else [known]
    for of in kinds or [NULL.name]:
        points = column.points.get(of, [])
        if of == BOOL.name:
            yield from (False, True)
        elif of == NULL.name:
            yield None
        elif of == STRING.name and not column.orders(of):
            yield from points
            yield _another(points)
        elif of in (NUMBER.name, STRING.name, TIMESTAMP, DURATION):
            yield from _between(of, points, kind is INTEGER)
        else:
            yield None  # lists and maps are equal to no cell


def _another(points: Sequence[CellConstant]) -> str:
    for word in ("other", "another", "something else"):
        if word not in points:
            return word
    return "?" + max(map(str, points), key=len)


def _between(of: str, points: Sequence[Any], whole: bool) -> Iterator[CellConstant]:
    """Each point, and a value in each gap between and beside them, where there is one."""
    bounds: list[Any] = [None, *points, None]
    for low, high in pairwise(bounds):
        if low is not None and not (whole and low != int(low)):
            yield low
        value = _number(low, high, whole) if of == NUMBER.name else _other(of, low, high)
        if value is not None and (low is None or low < value) and (high is None or value < high):
            yield value


def _number(low: Any, high: Any, whole: bool) -> int | float | None:
    if low is None and high is None:
        return 0
    if low is None:
        below: int = math.ceil(high) - 1
        return below
    nearest: int = math.floor(low) + 1
    if high is None or nearest < high or whole:
        return nearest
    return float((low + high) / 2)


def _other(of: str, low: Any, high: Any) -> CellConstant:
    if of == STRING.name:
        if low is None:
            return "" if high is None or high else None
        return f"{low}a" if high is None or f"{low}a" < high else f"{low}\0"
    step = _TICK if low is None or high is None else (high - low) // 2
    if of == TIMESTAMP:
        if low is None and high is None:
            return _EARLIEST
        return (high - step if high > _EARLIEST else None) if low is None else low + step if low < _LATEST else None
    return timedelta(0) if low is None and high is None else high - step if low is None else low + step
