"""When two evaluations say the same: the same value with booleans apart from numbers, or the same error."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rules import cel

Outcome = tuple[Any, ...]


def outcome(evaluate: Callable[[], Any]) -> Outcome:
    try:
        return "value", evaluate()
    except cel.CelEvaluationError as error:
        return "error", type(error), error.message


def same(a: Any, b: Any) -> bool:
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    if isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict) and isinstance(b, dict):
        return len(a) == len(b) and all(key in b and same(value, b[key]) for key, value in a.items())
    return bool(a == b)
