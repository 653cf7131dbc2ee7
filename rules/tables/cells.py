"""What a cell means, and a row: the definition, with the functions that CEL itself compares with.

An input is its value, or the `CelEvaluationError` that stands in its place. `-` does not look at it. A row is the `&&`
of its cells: one that is false decides, whatever errors stand beside it; else the first error is the row's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, Final

from rules.cel import CelBudgetError, CelEvaluationError, values
from rules.model.table import Cell, Row, Table

_TESTS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "==": values.equal,
    "!=": values.unequal,
    "<": values.less,
    "<=": values.at_most,
    ">": values.greater,
    ">=": values.at_least,
}


def hits(table: Table, given: Sequence[Any]) -> list[int]:
    """The places of the rows that fit, the first alone if that decides. Raises the error of a row."""
    found: list[int] = []
    for place, row in enumerate(table.rows):
        if fits(row, given):
            found.append(place)
            if table.hit == "first":
                break
    return found


def fits(row: Row, given: Sequence[Any]) -> bool:
    """Raises CelEvaluationError where the row is in error."""
    failure: CelEvaluationError | None = None
    for test in (test for cell, value in zip(row.cells, given, strict=True) for test in _tests(cell, value)):
        try:
            if not test():
                return False
        except CelBudgetError:
            raise
        except CelEvaluationError as error:
            failure = failure or error
    if failure is not None:
        raise failure
    return True


def _tests(cell: Cell, value: Any) -> Iterable[Callable[[], bool]]:
    if cell.operator == "-":
        return ()
    if isinstance(value, CelEvaluationError):
        return (partial(_refuse, value),)
    if cell.operator == "in":
        return (partial(values.contained, value, list(cell.operands)),)
    return [partial(_TESTS[operator], value, operand) for operator, operand in cell.tests]


def _refuse(error: CelEvaluationError) -> bool:
    raise error.again()
