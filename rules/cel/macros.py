"""What `exists`, `all`, `exists_one`, `filter` and `map` do, for code that hands them Python functions.

A macro charges the budget for all it may visit before it looks at the first element, so the charge does not depend on
where it stops. `exists` and `all` let errors through: absorbing them is the exact evaluator's business.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from rules.cel.limits import Budget
from rules.cel.values import elements

Test = Callable[[Any], bool]


def visit(budget: Budget, cost: int, value: Any) -> Collection[Any]:
    found = elements(value)
    budget.visit(cost * len(found))
    return found


def exists(budget: Budget, cost: int, value: Any, test: Test) -> bool:
    for element in visit(budget, cost, value):  # noqa: SIM110 - a generator would cost more than the loop
        if test(element):
            return True
    return False


def every(budget: Budget, cost: int, value: Any, test: Test) -> bool:
    for element in visit(budget, cost, value):  # noqa: SIM110
        if not test(element):
            return False
    return True


def exists_one(budget: Budget, cost: int, value: Any, test: Test) -> bool:
    return sum([test(element) for element in visit(budget, cost, value)]) == 1


def filtered(budget: Budget, cost: int, value: Any, test: Test) -> list[Any]:
    found = visit(budget, cost, value)
    budget.collect(len(found))
    return [element for element in found if test(element)]


def mapped(budget: Budget, cost: int, value: Any, transform: Callable[[Any], Any]) -> list[Any]:
    found = visit(budget, cost, value)
    budget.collect(len(found))
    return [transform(element) for element in found]


def mapped_where(budget: Budget, cost: int, value: Any, test: Test, transform: Callable[[Any], Any]) -> list[Any]:
    found = visit(budget, cost, value)
    budget.collect(len(found))
    return [transform(element) for element in found if test(element)]
