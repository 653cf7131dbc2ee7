"""The functions of the profile: names, signatures, and what they do.

The parser takes names and numbers of arguments from here, `check` the types, fast code and exact evaluator the
implementation, which is called as `apply(budget, *arguments)` with the target of a method first. `FUNCTIONS` are called
as `f(x)`, `METHODS` as `x.f()`. No function reads anything but its arguments.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

import re2

from rules.cel import limits, numbers, times, values
from rules.cel.errors import CelBudgetError, CelEvaluationError
from rules.cel.limits import Budget
from rules.cel.text import text
from rules.cel.types import ANY, BOOL, DURATION, INTEGER, NUMBER, STRING, TIMESTAMP, Type
from rules.cel.values import kind

_INTEGER = re.compile(r"[+-]?[0-9]{1,30}", re.ASCII)
_DECIMAL = re.compile(r"[+-]?(?:[0-9]{1,400}(?:\.[0-9]{0,400})?|\.[0-9]{1,400})(?:[eE][+-]?[0-9]{1,5})?", re.ASCII)
_TRUE = frozenset(("true", "True", "TRUE", "t", "T", "1"))
_FALSE = frozenset(("false", "False", "FALSE", "f", "F", "0"))


@dataclass(frozen=True, slots=True)
class Function:
    """`parameters` has the target of a method first; the last `optional` of them may be left out."""

    apply: Callable[..., Any]
    parameters: tuple[Type, ...]
    result: Type
    optional: int = 0


def _string(value: Any, function: str) -> str:
    if value.__class__ is not str and kind(value) is not values.STRING:
        raise CelEvaluationError(f"`{function}` needs a string, not {kind(value)}")
    return value  # type: ignore[no-any-return]


def _cost(budget: Budget | None, subject: str) -> None:
    if budget is not None:
        budget.write(len(subject) >> 2)


def contains(budget: Budget | None, subject: Any, part: Any) -> bool:
    subject, part = _string(subject, "contains"), _string(part, "contains")
    _cost(budget, subject)
    return part in subject


def starts_with(budget: Budget | None, subject: Any, prefix: Any) -> bool:
    prefix = _string(prefix, "startsWith")
    _cost(budget, prefix)
    return _string(subject, "startsWith").startswith(prefix)


def ends_with(budget: Budget | None, subject: Any, suffix: Any) -> bool:
    suffix = _string(suffix, "endsWith")
    _cost(budget, suffix)
    return _string(subject, "endsWith").endswith(suffix)


@lru_cache(maxsize=512)
def pattern(expression: str) -> Any:
    """A compiled RE2 pattern."""
    if len(expression) > limits.MAX_PATTERN:
        raise CelEvaluationError(f"the pattern is longer than {limits.MAX_PATTERN} characters")
    options = re2.Options()
    options.log_errors = False
    options.max_mem = 1 << 20
    try:
        return re2.compile(expression, options)
    except re2.error as error:
        reason = error.args[0] if error.args else "refused"
        reason = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
        raise CelEvaluationError(f"the pattern is not RE2: {reason}") from None
    except UnicodeEncodeError:
        raise CelEvaluationError("the pattern is not valid Unicode") from None


def search(budget: Budget | None, subject: Any, compiled: Any) -> bool:
    """`matches` with a constant pattern, which was compiled with the rule."""
    subject = _string(subject, "matches")
    length = len(subject) if subject.isascii() else 4 * len(subject)
    if budget is not None or length > limits.UNMATCHED:
        work = length * compiled.programsize
        if work > limits.MAX_MATCHING:
            raise CelBudgetError(f"a text of {len(subject)} characters is too long for so large a pattern")
        if budget is not None:
            budget.write(len(subject))
            budget.visit(work // limits.STEP_OF_MATCHING)
    try:
        return compiled.search(subject) is not None
    except UnicodeEncodeError:
        raise CelEvaluationError("the text to match is not valid Unicode") from None


def matches(budget: Budget | None, subject: Any, expression: Any) -> bool:
    expression = _string(expression, "matches")
    if budget is not None:
        # whether the cache holds it must not matter, so a pattern costs the same each time
        budget.visit(20 * len(expression))
    return search(budget, subject, pattern(str(expression)))


def to_int(budget: Budget | None, value: Any) -> int:
    what = kind(value)
    if what is values.NUMBER:
        return numbers.truncate(value)
    if what is values.TIMESTAMP:
        return times.to_epoch(value)
    if what is values.STRING:
        if _INTEGER.fullmatch(value) and numbers.LEAST <= int(value) <= numbers.MOST:
            return int(value)
        raise CelEvaluationError(f"`{value[:40]}` is not a whole number of 64 bits")
    raise CelEvaluationError(f"`int` cannot take {what}")


def to_double(budget: Budget | None, value: Any) -> float:
    what = kind(value)
    if what is values.NUMBER:
        return float(numbers.normal(value))
    if what is values.STRING:
        result = float(value) if _DECIMAL.fullmatch(value) else math.nan
        if math.isfinite(result):
            return result
        raise CelEvaluationError(f"`{value[:40]}` is not a number")
    raise CelEvaluationError(f"`double` cannot take {what}")


def to_bool(budget: Budget | None, value: Any) -> bool:
    what = kind(value)
    if what is values.BOOL:
        return bool(value)
    if what is values.STRING and (value in _TRUE or value in _FALSE):
        return value in _TRUE
    shown = f"`{value[:40]}`" if what is values.STRING else what
    raise CelEvaluationError(f"`bool` cannot take {shown}")


def to_string(budget: Budget | None, value: Any) -> str:
    if kind(value) in (values.NULL, values.LIST, values.MAP):
        raise CelEvaluationError(f"`string` cannot take {kind(value)}")
    made = text(value)
    if budget is not None:
        budget.write(len(made))
    return made


def to_timestamp(budget: Budget | None, value: Any) -> datetime:
    what = kind(value)
    if what is values.STRING:
        return times.timestamp(value)
    if what is values.NUMBER:
        return times.from_epoch(numbers.truncate(value))
    if what is values.TIMESTAMP:
        return times.utc(value)
    raise CelEvaluationError(f"`timestamp` cannot take {what}")


def to_duration(budget: Budget | None, value: Any) -> timedelta:
    what = kind(value)
    if what is values.STRING:
        return times.duration(value)
    if what is values.DURATION:
        return times.bounded(value)
    raise CelEvaluationError(f"`duration` cannot take {what}")


def _accessor(name: str) -> Function:
    def apply(budget: Budget | None, value: Any, *zone: Any) -> int:
        what = kind(value)
        if what not in (values.TIMESTAMP, values.DURATION):
            raise CelEvaluationError(f"`{name}` needs a timestamp, not {what}")
        return times.part(name, value, _string(zone[0], name) if zone else None)

    on_durations = name in times.WHOLE
    return Function(apply, (ANY if on_durations else TIMESTAMP, STRING), INTEGER, 1)


FUNCTIONS = {
    "size": Function(lambda budget, value: values.size(value), (ANY,), INTEGER),
    "matches": Function(matches, (STRING, STRING), BOOL),
    "int": Function(to_int, (ANY,), INTEGER),
    "double": Function(to_double, (ANY,), NUMBER),
    "bool": Function(to_bool, (ANY,), BOOL),
    "string": Function(to_string, (ANY,), STRING),
    "timestamp": Function(to_timestamp, (ANY,), TIMESTAMP),
    "duration": Function(to_duration, (ANY,), DURATION),
    "dyn": Function(lambda budget, value: value, (ANY,), ANY),
}
METHODS = {
    "contains": Function(contains, (STRING, STRING), BOOL),
    "startsWith": Function(starts_with, (STRING, STRING), BOOL),
    "endsWith": Function(ends_with, (STRING, STRING), BOOL),
    "matches": Function(matches, (STRING, STRING), BOOL),
    "size": Function(lambda budget, value: values.size(value), (ANY,), INTEGER),
    **{name: _accessor(name) for name in times.CALENDAR},
}
