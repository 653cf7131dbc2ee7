"""Which rows of a table fit, quickly: a look into each column, and the rows that none of them rules out.

Rows stand in blocks of `BLOCK`, each with columns of its own, so the size of the index grows with the number of rows
and not with its square. `first` and `collect` answer where no cell can be in error, and raise whatever comes else;
`hits` always answers, as `rules.tables.cells` would.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from rules.cel import CelBudgetError
from rules.model.table import Table
from rules.tables import cells
from rules.tables.columns import Column, Look

BLOCK: Final = 1_024

Looks = tuple[dict[type, Look], ...]


class Index:
    """Of a table. Made once, then only read."""

    __slots__ = ("_blocks", "_table")

    def __init__(self, table: Table) -> None:
        self._table = table
        starts = range(0, len(table.rows), BLOCK)
        parts = [(start, table.rows[start : start + BLOCK]) for start in starts]
        self._blocks = [
            (start, (1 << len(rows)) - 1, [Column(column) for column in zip(*(row.cells for row in rows), strict=True)])
            for start, rows in parts
        ]

    def hits(self, given: Sequence[Any]) -> list[int]:
        """The places of the rows that fit, in order, with `hit: first` at most one. A given value may be the error
        that stands in its place. Raises the error of the row that decides."""
        if any(isinstance(value, CelBudgetError) for value in given):
            return cells.hits(self._table, given)
        only_first = self._table.hit == "first"
        found: list[int] = []
        for start, alive, columns in self._blocks:
            wrong = 0
            try:
                for column, value in zip(columns, given, strict=True):
                    fitting, failing = column.look(value)
                    alive &= fitting
                    wrong |= failing
            except (KeyError, TypeError):
                return cells.hits(self._table, given)
            wrong &= alive
            if wrong and (not only_first or wrong & (alive & -alive)):
                cells.fits(self._table.rows[start + _lowest(wrong)], given)
                raise AssertionError("the row is in error")
            if alive and only_first:
                return [start + _lowest(alive)]
            found += _places(start, alive)
        return found

    def first(self) -> Callable[..., int]:
        """`(*given) → place of the first row that fits`, or -1."""
        if len(self._blocks) > 1:
            return self._first_of_many()
        ((_, rows, columns),) = self._blocks
        looks: Looks = tuple(column.sure for column in columns)
        if len(looks) == 1:
            (only,) = looks

            def one(a: Any) -> int:
                alive = only[a.__class__](a)
                return (alive & -alive).bit_length() - 1

            return one
        if len(looks) == 2:
            left, right = looks

            def two(a: Any, b: Any) -> int:
                alive = left[a.__class__](a) & right[b.__class__](b)
                return (alive & -alive).bit_length() - 1

            return two

        def many(*given: Any) -> int:
            alive = rows
            for look, value in zip(looks, given, strict=True):
                alive &= look[value.__class__](value)
            return (alive & -alive).bit_length() - 1

        return many

    def _first_of_many(self) -> Callable[..., int]:
        blocks = [(start, rows, tuple(column.sure for column in columns)) for start, rows, columns in self._blocks]

        def find(*given: Any) -> int:
            for start, alive, looks in blocks:
                for look, value in zip(looks, given, strict=True):
                    alive &= look[value.__class__](value)
                if alive:
                    return start + _lowest(alive)
            return -1

        return find

    def collect(self) -> Callable[..., list[int]]:
        """`(*given) → the places of all rows that fit`."""
        blocks = [(start, rows, tuple(column.sure for column in columns)) for start, rows, columns in self._blocks]

        def find(*given: Any) -> list[int]:
            found: list[int] = []
            for start, alive, looks in blocks:
                for look, value in zip(looks, given, strict=True):
                    alive &= look[value.__class__](value)
                found += _places(start, alive)
            return found

        return find


def _lowest(bits: int) -> int:
    return (bits & -bits).bit_length() - 1


def _places(start: int, bits: int) -> list[int]:
    found: list[int] = []
    while bits:
        lowest = bits & -bits
        found.append(start + lowest.bit_length() - 1)
        bits ^= lowest
    return found
