"""`+ - * / %` and unary minus over all kinds of values.

Shared by fast code and exact evaluator. Numbers go to `numbers`; strings and lists are concatenated within bounds;
times follow CEL: timestamp ± duration, timestamp - timestamp, duration ± duration. Everything else is an error.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from rules.cel import limits, numbers
from rules.cel.errors import CelBudgetError, CelEvaluationError
from rules.cel.limits import Budget
from rules.cel.times import bounded, shift, utc
from rules.cel.values import NUMBER, kind

_NUMBERS = frozenset((int, float))


def add(a: Any, b: Any, budget: Budget | None = None) -> Any:
    if a.__class__ in _NUMBERS and b.__class__ in _NUMBERS:
        return numbers.add(a, b)
    match kind(a), kind(b):
        case "a number", "a number":
            return numbers.add(a, b)
        case "a string", "a string":
            length = len(a) + len(b)
            if budget is not None:
                budget.write(length)
            elif length > limits.MAX_CHARACTERS:
                raise CelBudgetError(f"the text would have more than {limits.MAX_CHARACTERS} characters")
            return a + b
        case "a list", "a list":
            length = len(a) + len(b)
            if budget is not None:
                budget.collect(length)
            elif length > limits.MAX_ELEMENTS:
                raise CelBudgetError(f"the list would have more than {limits.MAX_ELEMENTS} elements")
            return [*a, *b]
        case "a timestamp", "a duration":
            return shift(a, b)
        case "a duration", "a timestamp":
            return shift(b, a)
        case "a duration", "a duration":
            return _span(a, b)
        case left, right:
            raise CelEvaluationError(f"cannot add {left} and {right}")


def subtract(a: Any, b: Any, budget: Budget | None = None) -> Any:
    if a.__class__ in _NUMBERS and b.__class__ in _NUMBERS:
        return numbers.subtract(a, b)
    match kind(a), kind(b):
        case "a number", "a number":
            return numbers.subtract(a, b)
        case "a timestamp", "a duration":
            return shift(a, -bounded(b))
        case "a timestamp", "a timestamp":
            return bounded(utc(a) - utc(b))
        case "a duration", "a duration":
            return _span(a, -bounded(b))
        case left, right:
            raise CelEvaluationError(f"cannot subtract {right} from {left}")


def _span(a: timedelta, b: timedelta) -> timedelta:
    return bounded(bounded(a) + bounded(b))


def _two_numbers(a: Any, b: Any, verb: str) -> None:
    left, right = kind(a), kind(b)
    if left is not NUMBER or right is not NUMBER:
        raise CelEvaluationError(f"cannot {verb} {left} and {right}")


def multiply(a: Any, b: Any, budget: Budget | None = None) -> Any:
    if a.__class__ not in _NUMBERS or b.__class__ not in _NUMBERS:
        _two_numbers(a, b, "multiply")
    return numbers.multiply(a, b)


def divide(a: Any, b: Any, budget: Budget | None = None) -> Any:
    if a.__class__ not in _NUMBERS or b.__class__ not in _NUMBERS:
        _two_numbers(a, b, "divide")
    return numbers.divide(a, b)


def modulo(a: Any, b: Any, budget: Budget | None = None) -> Any:
    if a.__class__ not in _NUMBERS or b.__class__ not in _NUMBERS:
        _two_numbers(a, b, "take the modulo of")
    return numbers.modulo(a, b)


def negate(a: Any) -> Any:
    if kind(a) is not NUMBER:
        raise CelEvaluationError(f"`-` needs a number, not {kind(a)}")
    return numbers.negate(a)
