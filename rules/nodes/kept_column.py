"""The values of one argument of aggregates, as windows keep them: what may enter, which is least, which are equal.

Values lie in cells as `rules.nodes.kept` writes them; numbers in their normal form, so that 1 and 1.0 are one value.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from functools import reduce
from typing import Any, Final

from rules.cel import values
from rules.cel.errors import CelEvaluationError
from rules.cel.numbers import normal
from rules.nodes.kept import give, keep

_NUMBERS: Final = frozenset((int, float))
_PLAIN: Final = frozenset((int, float, str))
_ORDERED: Final = (str, bool, datetime, timedelta)


def admitted(value: Any, functions: Iterable[str]) -> Any:
    """The value as it is kept. Raises CelEvaluationError for one that these functions cannot take: then its event
    does not enter the window."""
    if isinstance(value, (int, float)) and value.__class__ is not bool:
        return normal(value)
    for function in functions:
        if function in ("sum", "avg"):
            raise CelEvaluationError(f"`{function}` needs a number, not {values.kind(value)}")
        if function in ("min", "max") and not isinstance(value, _ORDERED):
            raise CelEvaluationError(f"`{function}` needs what has an order, not {values.kind(value)}")
    kept = keep(value)
    if kept.__class__ is dict and "$error" in kept:
        raise give(kept)
    return kept


def least(kept: list[Any]) -> Any:
    """The least of some values. Raises CelEvaluationError where they are of several kinds."""
    return _extreme(kept, min, values.less)


def greatest(kept: list[Any]) -> Any:
    return _extreme(kept, max, values.greater)


def _extreme(kept: list[Any], quickly: Callable[[list[Any]], Any], before: Callable[[Any, Any], bool]) -> Any:
    kinds = set(map(type, kept))
    if kinds <= _NUMBERS or (len(kinds) == 1 and dict not in kinds):
        return quickly(kept)
    return reduce(lambda best, each: each if before(give(each), give(best)) else best, kept)


def sort(value: Any) -> str:
    """A text that values share if they are equal."""
    if value.__class__ is str:
        return "'" + value
    return json.dumps(_ordered(value), sort_keys=True)


def different(kept: list[Any]) -> int:
    """How many different values there are."""
    kinds = set(map(type, kept))
    if kinds <= _PLAIN or (len(kinds) == 1 and not kinds & {list, dict}):
        return len(set(kept))
    return len(set(map(sort, kept)))


def _ordered(kept: Any) -> Any:
    """With the pairs of maps in one order: two that differ in it alone are equal."""
    if isinstance(kept, list):
        return [_ordered(each) for each in kept]
    if not isinstance(kept, dict):
        return kept
    if "$map" in kept:
        return {"$map": sorted(json.dumps(_ordered(pair), sort_keys=True) for pair in kept["$map"])}
    return {key: _ordered(value) for key, value in kept.items()}
