"""One column of a table as an index: from a value to the rows whose cell does not rule it out, as the bits of an int.

The constants of a column cut the values of each kind into points and the gaps between them; all values of one piece
fit the same cells. The pieces are in order, so bisection finds the piece of a value; where a kind has no `<` and no
range, a dictionary of the points is enough. A cell that compares the order of another kind is in error, whatever the
value: such rows are not ruled out either, but told apart.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from rules.cel import CelEvaluationError
from rules.cel.values import BOOL, DURATION, NULL, NUMBER, STRING, TIMESTAMP, kind
from rules.model.table import Cell, CellConstant

Look = Callable[[Any], int]
CLASSES: Final[dict[str, tuple[type, ...]]] = {
    NULL: (type(None),),
    BOOL: (bool,),
    NUMBER: (int, float),
    STRING: (str,),
    TIMESTAMP: (datetime,),
    DURATION: (timedelta,),
}


class Column:
    """The cells of an input in some rows. The first of them is the highest bit, so `int.bit_length` finds it."""

    __slots__ = ("_alive", "_failing", "_ordering", "_rows", "_wrong", "points", "sure")

    def __init__(self, cells: Sequence[Cell]) -> None:
        self._rows = (1 << len(cells)) - 1
        self.points: dict[str, list[CellConstant]] = {}
        """Kind → the constants that the column compares with, in order."""
        ordering: dict[str, int] = {}
        anything = elsewhere = 0
        for place, cell in enumerate(reversed(cells)):
            bit = 1 << place
            if cell.operator in ("-", "!="):
                elsewhere |= bit
            if cell.operator == "-":
                anything |= bit
            elif cell.operator not in ("==", "!=", "in"):
                of = kind(cell.operands[0])
                ordering[of] = ordering.get(of, 0) | bit
            for constant in cell.operands:
                self.points.setdefault(kind(constant), []).append(constant)
        self._ordering = ordering
        ordered = sum(ordering.values())
        for of, points in self.points.items():
            self.points[of] = _distinct(points)
        self._failing = self._rows & ~anything
        self._alive: dict[type, Look] = {}
        self._wrong: dict[type, int] = {}
        for of, classes in CLASSES.items():
            wrong = ordered & ~ordering.get(of, 0)
            pieces = [bits | wrong for bits in _pieces(of, self.points.get(of, []), cells, elsewhere)]
            look = _look(self.points.get(of, []), pieces, of in ordering)
            for each in classes:
                self._alive[each], self._wrong[each] = look, wrong
        for each in (list, dict):
            self._alive[each], self._wrong[each] = _always(elsewhere | ordered), ordered
        self._alive[datetime] = _in_utc(self._alive[datetime])
        self.sure = {each: look for each, look in self._alive.items() if not self._wrong[each]}
        """Class of a value → its look-up, where no cell can be in error."""

    def look(self, value: Any) -> tuple[int, int]:
        """The rows that the value does not rule out, and those among them whose cell is in error.

        A value may be the error that stands in its place. Raises KeyError for what only CEL itself can compare."""
        if isinstance(value, CelEvaluationError):
            return self._rows, self._failing
        of = value.__class__
        return self._alive[of](value), self._wrong[of]

    def orders(self, of: str) -> bool:
        """Whether a cell compares the order of this kind."""
        return of in self._ordering


class _Points(dict[Any, int]):
    """Points, and what holds for all values beside them."""

    __slots__ = ("beside",)
    beside: int

    def __missing__(self, _: object) -> int:
        return self.beside


def _look(points: list[CellConstant], pieces: list[int], in_order: bool) -> Look:
    if not points:
        return _always(pieces[0])
    exactly = dict(zip(points, pieces[1::2], strict=True))
    if not in_order:
        known = _Points(exactly)
        known.beside = pieces[0]
        return known.__getitem__
    at, beside = exactly.get, pieces[::2]

    def found(value: Any) -> int:
        bits = at(value)
        return beside[bisect_left(points, value)] if bits is None else bits

    return found


def _always(bits: int) -> Look:
    return lambda _: bits


def _in_utc(look: Look) -> Look:
    def found(value: datetime) -> int:
        if value.tzinfo is not UTC:
            raise KeyError("another time zone")
        return look(value)

    return found


def _distinct(points: list[CellConstant]) -> list[CellConstant]:
    return sorted(set(points)) if points[0] is not None else [None]  # type: ignore[type-var]


def _pieces(of: str, points: list[CellConstant], cells: Sequence[Cell], elsewhere: int) -> list[int]:
    """The rows that fit each piece of a kind: 2i + 1 is the point i, the even ones are the gaps around them."""
    where = {point: 2 * place + 1 for place, point in enumerate(points)}
    last = 2 * len(points)
    changes = [0] * (last + 2)
    changes[0] = elsewhere
    for place, cell in enumerate(reversed(cells)) if points else ():
        for first, end in _changed(cell, of, where, last):
            changes[first] ^= 1 << place
            changes[end] ^= 1 << place
    bits, pieces = 0, []
    for change in changes[:-1]:
        bits ^= change
        pieces.append(bits)
    return pieces


def _changed(cell: Cell, of: str, where: dict[CellConstant, int], last: int) -> Iterable[tuple[int, int]]:
    """The pieces for which a cell says something else than for values of kinds that it does not name."""
    mine = [where[constant] for constant in cell.operands if kind(constant) is of]
    if not mine:
        return ()
    if cell.operator in ("==", "!=", "in"):
        return [(piece, piece + 1) for piece in set(mine)]
    first, end = 0, last + 1
    for operator, constant in cell.tests:
        piece = where[constant]
        match operator:
            case "<":
                end = piece
            case "<=":
                end = piece + 1
            case ">":
                first = piece + 1
            case _:
                first = piece
    return [(first, end)]
