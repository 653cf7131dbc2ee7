"""What expressions do with values of any kind: compare, look up, measure.

Fast code and exact evaluator call the same functions, so they cannot disagree. The values are those of JSON, plus aware
`datetime` and `timedelta`; anything else is an error as soon as an operation looks at it. A `CelEvaluationError` may
stand where a value could: it is raised when it is read, and `NotEvaluated` counts as absent for `has`. Each function
that can be repeated by a comprehension takes the `Budget` of the evaluation, or None where there is none.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

from rules.cel import limits
from rules.cel.errors import CelBudgetError, CelEvaluationError, NotEvaluated
from rules.cel.limits import Budget
from rules.cel.numbers import digits
from rules.cel.times import utc

NULL, BOOL, NUMBER, STRING = "null", "a boolean", "a number", "a string"
LIST, MAP, TIMESTAMP, DURATION = "a list", "a map", "a timestamp", "a duration"
_KINDS: dict[type, str] = {
    type(None): NULL,
    bool: BOOL,
    int: NUMBER,
    float: NUMBER,
    str: STRING,
    list: LIST,
    dict: MAP,
    datetime: TIMESTAMP,
    timedelta: DURATION,
}
_SUBCLASSES: tuple[tuple[type | tuple[type, ...], str], ...] = (
    ((int, float), NUMBER),
    (str, STRING),
    ((list, tuple), LIST),
    (dict, MAP),
    (datetime, TIMESTAMP),
    (timedelta, DURATION),
)
_ORDERED = frozenset((NUMBER, STRING, BOOL, TIMESTAMP, DURATION))
_MISSING = object()


def kind(value: object) -> str:
    """What a value is, in words fit for a message."""
    # not `__class__`: an object may answer that with anything
    of = type(value)
    known = _KINDS.get(of)
    if known is not None:
        return known
    if issubclass(of, CelEvaluationError):
        raise value.again()  # type: ignore[attr-defined]
    for types, name in _SUBCLASSES:
        if issubclass(of, types):
            return name
    raise CelEvaluationError(f"a Python {of.__name__} is not a value of CEL")


def equal(a: Any, b: Any, budget: Budget | None = None) -> bool:
    """Equality across kinds is false, never an error; a boolean is never a number, however deep."""
    what = kind(a)
    if what != kind(b):
        return False
    if what is LIST or what is MAP:
        return _deeply_equal(a, b, budget or Budget())
    if what is TIMESTAMP:
        return utc(a) == utc(b)
    if budget is not None and what is STRING and len(a) == len(b):
        budget.write(len(a) >> 4)
    return bool(a == b)


def _deeply_equal(a: Any, b: Any, budget: Budget) -> bool:
    visited = 0
    stack: list[tuple[Any, Any, int]] = [(a, b, 1)]
    while stack:
        a, b, depth = stack.pop()
        what = kind(a)
        if what != kind(b):
            return False
        if what is LIST or what is MAP:
            if len(a) != len(b):
                return False
            visited += len(a)
            budget.visit(len(a))
            if visited > limits.MAX_ELEMENTS:
                raise CelBudgetError(f"the comparison visits more than {limits.MAX_ELEMENTS} elements")
            if depth > limits.MAX_VALUE_DEPTH:
                raise CelEvaluationError(f"the value is nested deeper than {limits.MAX_VALUE_DEPTH}")
            if what is LIST:
                # reversed, so that elements are looked at in their order
                pairs = zip(reversed(a), reversed(b), strict=True)
                stack.extend((x, y, depth + 1) for x, y in pairs if not _same_number(x, y))
                continue
            for key, value in a.items():
                other = _find(b, key, budget)
                if other is _MISSING:
                    return False
                stack.append((value, other, depth + 1))
        elif not equal(a, b, budget):
            return False
    return True


def _same_number(a: Any, b: Any) -> bool:
    """Most of what long lists hold, looked at without ado."""
    return a.__class__ is b.__class__ and (a.__class__ is int or a.__class__ is float) and bool(a == b)


def unequal(a: Any, b: Any, budget: Budget | None = None) -> bool:
    return not equal(a, b, budget)


def _ordered(a: Any, b: Any, operator: str, budget: Budget | None) -> tuple[Any, Any]:
    what, other = kind(a), kind(b)
    if what != other or what not in _ORDERED:
        raise CelEvaluationError(f"cannot compare {what} `{operator}` {other}")
    if what is TIMESTAMP:
        return utc(a), utc(b)
    if budget is not None and what is STRING:
        budget.write(min(len(a), len(b)) >> 4)
    return a, b


def less(a: Any, b: Any, budget: Budget | None = None) -> bool:
    a, b = _ordered(a, b, "<", budget)
    return bool(a < b)


def at_most(a: Any, b: Any, budget: Budget | None = None) -> bool:
    a, b = _ordered(a, b, "<=", budget)
    return bool(a <= b)


def greater(a: Any, b: Any, budget: Budget | None = None) -> bool:
    a, b = _ordered(a, b, ">", budget)
    return bool(a > b)


def at_least(a: Any, b: Any, budget: Budget | None = None) -> bool:
    a, b = _ordered(a, b, ">=", budget)
    return bool(a >= b)


def contained(item: Any, container: Any, budget: Budget | None = None) -> bool:
    """`in`: an element of a list, or a key of a map."""
    what = kind(container)
    if what is MAP:
        kind(item)
        return _find(container, item, budget) is not _MISSING
    if what is not LIST:
        raise CelEvaluationError(f"`in` needs a list or a map, not {what}")
    if budget is None and kind(item) in (LIST, MAP):
        budget = Budget()  # for all comparisons together
    if budget is not None:
        budget.visit(len(container))
    return any(equal(item, element, budget) for element in container)


def _find(mapping: Any, key: Any, budget: Budget | None) -> Any:
    if key.__class__ is str:
        return mapping.get(key, _MISSING)
    what = kind(key)
    if what not in (STRING, NUMBER, BOOL) or key not in mapping:
        return _MISSING
    if key == 0 or key == 1:
        # Python takes True for 1 and finds either by the other
        if budget is not None:
            budget.visit(len(mapping))
        if not any(held == key and kind(held) is what for held in mapping):
            return _MISSING
    return mapping[key]


def index(container: Any, key: Any, budget: Budget | None = None) -> Any:
    what = kind(container)
    if what is MAP:
        kind(key)
        value = _find(container, key, budget)
        if value is _MISSING:
            raise CelEvaluationError(f"no key {_shown(key)} in the map")
        if isinstance(value, CelEvaluationError):
            raise value.again()
        return value
    if what is not LIST:
        raise CelEvaluationError(f"{what} has no elements")
    if kind(key) is not NUMBER or key != key or key in (float("inf"), float("-inf")) or int(key) != key:
        raise CelEvaluationError(f"the index of a list must be a whole number, not {_shown(key)}")
    if not 0 <= key < len(container):
        raise CelEvaluationError(f"no index {_shown(key)} in a list of {len(container)}")
    return container[int(key)]


def _shown(key: Any) -> str:
    if kind(key) is NUMBER:
        return digits(key)
    if kind(key) is not STRING:
        return str(key).lower() if kind(key) is BOOL else kind(key)
    return f"`{key[:40]}`"


def field(value: Any, name: str, path: str | None = None) -> Any:
    """`value.name`; `path` is what a message calls it."""
    if isinstance(value, dict):
        if name in value:
            found = value[name]
            if isinstance(found, CelEvaluationError):
                raise found.again()
            return found
        raise NotEvaluated(f"`{path or name}` is absent")
    what = kind(value)
    if what is NULL:
        raise NotEvaluated(f"`{path or name}` is absent, its parent is null")
    raise CelEvaluationError(f"`{path or name}`: {what} has no fields")


def has(value: Any, *names: str) -> bool:
    """`has(value.name.name…)`: false when any parent is absent or null; another parent that is no map is an error."""
    for name in names:
        if isinstance(value, NotEvaluated) or value is None:
            return False
        if not isinstance(value, dict):
            raise CelEvaluationError(f"`{name}`: {kind(value)} has no fields")
        if name not in value:
            return False
        value = value[name]
    return present(value)


def present(value: Any) -> bool:
    if isinstance(value, NotEvaluated):
        return False
    if isinstance(value, CelEvaluationError):
        raise value.again()
    return True


def size(value: Any) -> int:
    what = kind(value)
    if what in (STRING, LIST, MAP):
        return len(value)
    raise CelEvaluationError(f"{what} has no size")


def elements(value: Any) -> Collection[Any]:
    """What a macro visits: the elements of a list, the keys of a map."""
    if kind(value) in (LIST, MAP):
        return value  # type: ignore[no-any-return]
    raise CelEvaluationError(f"a macro needs a list or a map, not {kind(value)}")


def truth(value: Any) -> bool:
    if value is True or value is False:
        return value
    raise CelEvaluationError(f"a condition must be a boolean, not {kind(value)}")


def negated(value: Any) -> bool:
    if value is True or value is False:
        return not value
    raise CelEvaluationError(f"`!` needs a boolean, not {kind(value)}")


def mapping(entries: Collection[tuple[Any, Any]]) -> dict[Any, Any]:
    """A map literal. Keys are strings, numbers and booleans, each once."""
    made: dict[Any, Any] = {}
    for key, value in entries:
        if kind(key) not in (STRING, NUMBER, BOOL):
            raise CelEvaluationError(f"{kind(key)} cannot be a key")
        if key in made:
            # Python takes 1 and True for one key, so a map that wants both is refused as well
            raise CelEvaluationError(f"the key {_shown(key)} stands twice in the map")
        made[key] = value
    return made
