"""What one term can be: kinds, a list of values, an interval. Each method narrows it; `Empty` when nothing is left."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, Literal

from rules.cel import values
from rules.cel.values import BOOL, NUMBER

Why = Literal["kind", "values", "range", "gap"]
_FEW: Final = 64
"""Whole numbers in an interval that is taken for a list."""
_BOOLEANS: Final = frozenset((BOOL,))
_ORDERED: Final = frozenset((NUMBER, values.STRING, values.TIMESTAMP, values.DURATION))


class Empty(Exception):
    def __init__(self, why: Why) -> None:
        super().__init__(why)
        self.why: Why = why


class Domain:
    """`kinds` None is any kind; `whole` says that numbers are whole."""

    __slots__ = ("_excluded", "_fits", "_high", "_low", "allowed", "kinds", "whole")

    def __init__(
        self,
        kinds: Iterable[str] | None = None,
        *,
        whole: bool = False,
        allowed: Sequence[Any] | None = None,
        fits: Callable[[Any], bool] | None = None,
    ) -> None:
        self.kinds = None if kinds is None else frozenset(kinds)
        self.whole = whole
        self.allowed = None if allowed is None else list(allowed)
        self._fits = fits
        self._excluded: list[Any] = []
        self._low: tuple[Any, bool] | None = None
        """(bound, whether it is itself inside)"""
        self._high: tuple[Any, bool] | None = None

    @property
    def span(self) -> tuple[Any, Any] | None:
        """The bounds, where it has both."""
        return None if self._low is None or self._high is None else (self._low[0], self._high[0])

    def compare(self, operator: str, value: Any) -> None:
        """Raises Empty."""
        if operator == "==":
            self.allow([value])
        elif operator == "!=":
            self.exclude([value])
        else:
            self._bound(operator, value)

    def allow(self, listed: Sequence[Any]) -> None:
        kinds = {values.kind(value) for value in listed}
        if self.kinds is not None and not kinds & self.kinds:
            raise Empty("kind")
        self.kinds = frozenset(kinds) if self.kinds is None else self.kinds & kinds
        known = listed if self.allowed is None else [v for v in self.allowed if any(values.equal(v, w) for w in listed)]
        self._keep(known)

    def exclude(self, listed: Sequence[Any]) -> None:
        self._excluded += listed
        if self.allowed is not None:
            self._keep(self.allowed)
        elif self.kinds == _BOOLEANS:
            self._keep([False, True])

    def filter(self, holds: Callable[[Any], bool]) -> None:
        """Of the values that it can have, those for which something holds."""
        assert self.allowed is not None
        self._keep([value for value in self.allowed if holds(value)])

    def _bound(self, operator: str, value: Any) -> None:
        kind = values.kind(value)
        if kind not in _ORDERED:
            return
        if self.kinds is not None and kind not in self.kinds:
            raise Empty("kind")
        self.kinds = frozenset((kind,))
        inside = operator in ("<=", ">=")
        whole = self.whole and kind == NUMBER
        if whole:
            value, inside = _whole(operator, value), True
        bound = (value, inside)
        if operator in (">", ">="):
            self._low = bound if self._low is None else _tighter(self._low, bound, values.greater)
        else:
            self._high = bound if self._high is None else _tighter(self._high, bound, values.less)
        self._settle(whole)

    def _settle(self, whole: bool) -> None:
        if self._low is not None and self._high is not None:
            (low, low_inside), (high, high_inside) = self._low, self._high
            if values.greater(low, high) or (values.equal(low, high) and not (low_inside and high_inside)):
                raise Empty("gap" if whole else "range")
            if values.equal(low, high):
                self.allow([low])
            elif whole and self.allowed is None and high - low < _FEW:
                self.allow(list(range(low, high + 1)))
        if self.allowed is not None:
            self._keep(self.allowed, "range")

    def _keep(self, known: Sequence[Any], why: Why = "values") -> None:
        self.allowed = [value for value in known if self._admits(value)]
        if not self.allowed:
            raise Empty(why)

    def _admits(self, value: Any) -> bool:
        kind = values.kind(value)
        if self.kinds is not None and kind not in self.kinds:
            return False
        if self._fits is not None and not self._fits(value):
            return False
        if any(values.equal(value, other) for other in self._excluded):
            return False
        if kind == NUMBER and self.whole and value != math.floor(value):
            return False
        return _within(value, self._low, values.greater) and _within(value, self._high, values.less)


def _within(value: Any, bound: tuple[Any, bool] | None, beyond: Callable[[Any, Any], bool]) -> bool:
    return bound is None or beyond(value, bound[0]) or (bound[1] and values.equal(value, bound[0]))


def _tighter(one: tuple[Any, bool], other: tuple[Any, bool], beyond: Callable[[Any, Any], bool]) -> tuple[Any, bool]:
    if values.equal(one[0], other[0]):
        return one if not one[1] else other
    return one if beyond(one[0], other[0]) else other


def _whole(operator: str, value: int | float) -> int:
    """The bound, inside, that whole numbers meet at an operator."""
    match operator:
        case ">":
            return math.floor(value) + 1
        case ">=":
            return math.ceil(value)
        case "<":
            return math.ceil(value) - 1
        case _:
            return math.floor(value)
