"""The functions that fast code calls: the namespace of generated code, and nothing else is in it.

`emitter` knows them by these names; a rule compiler puts `HELPERS` into the globals of what it generates. All names
begin with `_cel_`, and there are no builtins. They are the very functions that the exact evaluator uses.
"""

from __future__ import annotations

from typing import Any

from rules.cel import exact, macros, numbers, operators, values
from rules.cel.errors import CelBudgetError, CelEvaluationError
from rules.cel.functions import FUNCTIONS, METHODS, search
from rules.cel.limits import Budget
from rules.cel.text import render


def _refuse(value: object) -> bool:
    raise CelEvaluationError(f"{values.kind(value)} cannot stand here")


def _read(value: Any) -> Any:
    if isinstance(value, CelEvaluationError):
        raise value.again()
    return value


NAMES = {
    "==": "equal",
    "!=": "unequal",
    "<": "less",
    "<=": "at_most",
    ">": "greater",
    ">=": "at_least",
    "in": "contained",
    "+": "add",
    "-": "subtract",
    "*": "multiply",
    "/": "divide",
    "%": "modulo",
}
_MACROS = {
    "exists": macros.exists,
    "all": macros.every,
    "exists_one": macros.exists_one,
    "filter": macros.filtered,
    "map": macros.mapped,
    "map_where": macros.mapped_where,
}
HELPERS: dict[str, object] = {
    "__builtins__": {},
    "_cel_dict": dict,
    "_cel_bool": bool,
    "_cel_Exception": Exception,
    "_cel_CelBudgetError": CelBudgetError,
    "_cel_Budget": Budget,
    "_cel_refuse": _refuse,
    "_cel_read": _read,
    "_cel_field": values.field,
    "_cel_index": values.index,
    "_cel_has": values.has,
    "_cel_present": values.present,
    "_cel_negate": operators.negate,
    "_cel_add_numbers": numbers.add,
    "_cel_subtract_numbers": numbers.subtract,
    "_cel_multiply_numbers": numbers.multiply,
    "_cel_mapping": values.mapping,
    "_cel_render": render,
    "_cel_search": search,
    **{f"_cel_{NAMES[operator]}": function for operator, function in exact.BINARY.items()},
    **{f"_cel_macro_{name}": function for name, function in _MACROS.items()},
    **{f"_cel_function_{name}": function.apply for name, function in FUNCTIONS.items()},
    **{f"_cel_method_{name}": function.apply for name, function in METHODS.items()},
}
