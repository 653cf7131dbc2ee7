"""A decision table: which row fits what is known of an event, and what that row says (RULES.md §7).

Read by `rules/tables` (what a cell means, and which rows fit) and by the checks.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from rules.model.source import Expression, Payload, Span

CellConstant = None | bool | int | float | str | datetime | timedelta
CellOperator = Literal["-", "==", "!=", "<", "<=", ">", ">=", "in", "range"]


@dataclass(frozen=True, slots=True)
class Cell:
    """What one row wants of one input. `-` takes anything, and has no operands; `in` has some; a range has its two
    bounds; every other one has one."""

    operator: CellOperator
    operands: tuple[CellConstant, ...]
    text: str
    """As it is written."""
    span: Span = field(compare=False)
    includes: tuple[bool, bool] = (True, True)
    """Of a range: whether its lower and its upper bound belong to it."""

    @property
    def tests(self) -> tuple[tuple[str, CellConstant], ...]:
        """The comparisons that all must hold; none for `-`. Not of `in`."""
        if self.operator == "range":
            low, high = self.operands
            return ((">=" if self.includes[0] else ">", low), ("<=" if self.includes[1] else "<", high))
        return tuple((self.operator, operand) for operand in self.operands)


@dataclass(frozen=True, slots=True)
class Row:
    cells: tuple[Cell, ...]
    """One for each input."""
    outputs: dict[str, Payload]
    """Some of the table's; what is not named is absent."""
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Table:
    name: str
    inputs: tuple[Expression, ...]
    outputs: tuple[str, ...]
    hit: Literal["first", "collect"]
    rows: tuple[Row, ...]
    """None at all: the table could not be read, and has been reported."""
    span: Span
    output_spans: tuple[Span, ...] = ()
    digest: str = ""
    """Of all that decides what it answers (`rules.node_id.table_digest`)."""
