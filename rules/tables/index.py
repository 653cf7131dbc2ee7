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
        self._blocks: list[tuple[int, list[Column]]] = []
        """Each with the place behind its last row: a row is that, less the length of the bits that it leads."""
        for start in range(0, len(table.rows), BLOCK):
            rows = table.rows[start : start + BLOCK]
            columns = [Column(column) for column in zip(*(row.cells for row in rows), strict=True)]
            self._blocks.append((start + len(rows), columns))

    def hits(self, given: Sequence[Any]) -> list[int]:
        """The places of the rows that fit, in order, with `hit: first` at most one. A given value may be the error
        that stands in its place. Raises the error of the row that decides."""
        if any(isinstance(value, CelBudgetError) for value in given):
            return cells.hits(self._table, given)
        only_first = self._table.hit == "first"
        found: list[int] = []
        for end, columns in self._blocks:
            alive, wrong = -1, 0
            try:
                for column, value in zip(columns, given, strict=True):
                    fitting, failing = column.look(value)
                    alive &= fitting
                    wrong |= failing
            except (KeyError, TypeError):
                return cells.hits(self._table, given)
            wrong &= alive
            if wrong and (not only_first or wrong.bit_length() == alive.bit_length()):
                cells.fits(self._table.rows[end - wrong.bit_length()], given)
                raise AssertionError("the row is in error")
            if alive and only_first:
                return [end - alive.bit_length()]
            found += _places(end, alive)
        return found

    def first(self, said: Sequence[Any], otherwise: Any) -> Callable[..., Any]:
        """`(*given) → what is said` of the first row that fits, by its place, or else."""
        if len(self._blocks) > 1:
            return self._first_of_many(said, otherwise)
        ((_, columns),) = self._blocks
        looks: Looks = tuple(column.sure for column in columns)
        by_length = [otherwise, *reversed(said)]
        if len(looks) == 1:
            (only,) = looks
            return lambda a: by_length[only[a.__class__](a).bit_length()]
        if len(looks) == 2:
            left, right = looks
            return lambda a, b: by_length[(left[a.__class__](a) & right[b.__class__](b)).bit_length()]

        def find(*given: Any) -> Any:
            alive = -1
            for look, value in zip(looks, given, strict=True):
                alive &= look[value.__class__](value)
            return by_length[alive.bit_length()]

        return find

    def _first_of_many(self, said: Sequence[Any], otherwise: Any) -> Callable[..., Any]:
        blocks = self._looks()

        def find(*given: Any) -> Any:
            for end, looks in blocks:
                alive = -1
                for look, value in zip(looks, given, strict=True):
                    alive &= look[value.__class__](value)
                if alive:
                    return said[end - alive.bit_length()]
            return otherwise

        return find

    def collect(self) -> Callable[..., list[int]]:
        """`(*given) → the places of all rows that fit`."""
        blocks = self._looks()

        def find(*given: Any) -> list[int]:
            found: list[int] = []
            for end, looks in blocks:
                alive = -1
                for look, value in zip(looks, given, strict=True):
                    alive &= look[value.__class__](value)
                found += _places(end, alive)
            return found

        return find

    def _looks(self) -> list[tuple[int, Looks]]:
        return [(end, tuple(column.sure for column in columns)) for end, columns in self._blocks]


def _places(end: int, bits: int) -> list[int]:
    found: list[int] = []
    while bits:
        length = bits.bit_length()
        found.append(end - length)
        bits ^= 1 << (length - 1)
    return found
