"""Fast code: a tree becomes a Python `ast` expression that a rule compiler inlines in its own function.

The contract has two halves. `expression` gives code whose *value*, if it has one, is the value of the exact evaluator;
whatever is unusual (an absent field, a wrong type, an error that `&&` may absorb) makes it raise *some* exception.
`exact` gives the code to evaluate then. `statements` puts both together: a try block, free on the way without errors,
that assigns the value or raises `CelEvaluationError`. So fast code needs no absorption of errors and few guards: a
guard stands only where Python would answer something else than CEL without raising (`True > 0`, `"a" in ["a"]`).

No text of a rule becomes Python source: strings are constants, names come from the `Scope` or are made here. Generated
code runs with `HELPERS` and the scope's `namespace` as its globals, and no builtins.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

from rules.cel import exact as exactly
from rules.cel import nodes, values
from rules.cel.emitter import Emitter
from rules.cel.errors import CelError, CelEvaluationError
from rules.cel.helpers import HELPERS
from rules.cel.nodes import Node
from rules.cel.paths import Path, is_further, reads
from rules.cel.pycode import assigned, call, name
from rules.cel.scope import Scope

__all__ = ["HELPERS", "MAX_FAST_DEPTH", "Exact", "exact", "expression", "statements", "traced"]

MAX_FAST_DEPTH = 80
"""Deeper trees go to the exact evaluator at once: Python's compiler recurses, ours does not."""


def expression(node: Node, scope: Scope, *, condition: bool = False) -> ast.expr:
    """Fast code for the value of a tree; see above for what it may raise.

    With `condition` the value is `True` or `False`, everything else is an exception. Raises `CelError` where the scope
    has no variable of a free name.
    """
    if nodes.depth(node) > MAX_FAST_DEPTH:
        return exact(node, scope, condition=condition)
    budget = scope.temporary() if exactly.counted(node) else None
    emitter = Emitter(scope, budget)
    code = emitter.truth(node) if condition else emitter.value(node)
    if budget is None:
        return code
    return ast.IfExp(assigned(budget, call("Budget")), code, ast.Constant(None))


def traced(node: Node, scope: Scope) -> ast.expr:
    """Code whose value is an `exact.Explanation`: the exact evaluator's, with the way there. It raises nothing."""
    return exact(node, scope, called=Traced)


def exact(node: Node, scope: Scope, *, condition: bool = False, called: Callable[..., Exact] | None = None) -> ast.expr:
    """Code that calls the exact evaluator. It raises `CelEvaluationError` and nothing else."""
    loaded: dict[Path, ast.expr] = {}
    for found, _ in reads(node, inside_calls=False):
        prefix = scope.prefix(found)
        code = scope.load(prefix) if prefix else None
        if prefix is None or code is None:
            raise CelError(f"unknown name `{found[0]}`")
        loaded[prefix] = code
    kept = sorted(loaded, key=len)
    calls: list[tuple[nodes.Call, ast.expr]] = []
    for part in nodes.walk(node):
        code = scope.call(part) if isinstance(part, nodes.Call) and is_further(part) else None
        if isinstance(part, nodes.Call) and code is not None:
            calls.append((part, code))
    evaluator = (called or Exact)(node, tuple(kept), tuple(call for call, _ in calls), condition)
    arguments = [loaded[known] for known in kept] + [code for _, code in calls]
    return ast.Call(scope.bind(evaluator), arguments, [])


def statements(node: Node, scope: Scope, target: str, *, condition: bool = False) -> list[ast.stmt]:
    """Code that assigns the value to the local variable `target`, or raises `CelEvaluationError`.

    Loaded expressions stand in it more than once, as the same objects: do not transform it in place.
    """

    def assign(code: ast.expr) -> list[ast.stmt]:
        return [ast.Assign([ast.Name(target, ast.Store())], code)]

    if nodes.depth(node) > MAX_FAST_DEPTH:
        return assign(exact(node, scope, condition=condition))
    return [
        ast.Try(
            body=assign(expression(node, scope, condition=condition)),
            handlers=[
                ast.ExceptHandler(name("_cel_CelBudgetError"), None, [ast.Raise()]),
                ast.ExceptHandler(name("_cel_Exception"), None, assign(exact(node, scope, condition=condition))),
            ],
            orelse=[],
            finalbody=[],
        )
    ]


class Exact:
    """The exact evaluator of one tree, called with the values that the scope loads for it."""

    __slots__ = ("_evaluator", "calls", "condition", "node", "paths")

    def __init__(self, node: Node, paths: tuple[Path, ...], calls: tuple[nodes.Call, ...], condition: bool) -> None:
        self.node, self.paths, self.calls, self.condition = node, paths, calls, condition
        self._evaluator = exactly.Evaluator(node)

    def __call__(self, *loaded: Any) -> Any:
        value = self._evaluator.run(self._variables(loaded))
        if self.condition and value is not True and value is not False:
            what = values.kind(value)
            raise CelEvaluationError(f"a condition must be a boolean, not {what}", self.node.start, self.node.end)
        return value

    def _variables(self, loaded: tuple[Any, ...]) -> dict[Any, Any]:
        variables: dict[Any, Any] = dict(zip(self.calls, loaded[len(self.paths) :], strict=True))
        for known, value in zip(self.paths, loaded, strict=False):
            holder = variables
            for step in known[:-1]:
                # a longer path overlays what a shorter one has loaded, in a copy: the event itself stays as it is
                shorter = holder.get(step)
                holder[step] = dict(shorter) if isinstance(shorter, dict) else {}
                holder = holder[step]
            holder[known[-1]] = value
        return variables


class Traced(Exact):
    """The same, with the way there instead of the value alone."""

    __slots__ = ()

    def __call__(self, *loaded: Any) -> exactly.Explanation:
        return self._evaluator.explain(self._variables(loaded))
