"""One expression, compiled by itself: for tools, tests, and whoever evaluates a few.

Rules do not run through this: their compiler inlines `emit.expression` in functions of its own. A `Program` is
immutable and may be called by several threads.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Callable, Mapping
from typing import Any

from rules.cel import emit, exact
from rules.cel.check import check_constants
from rules.cel.errors import CelBudgetError
from rules.cel.nodes import Node
from rules.cel.parse import exactly, parse
from rules.cel.paths import Path, names
from rules.cel.scope import Scope


class Program:
    """A compiled expression. `names` are the free names of its text, `node` is its tree."""

    __slots__ = ("_exact", "_fast", "names", "node", "text")

    def __init__(self, text: str, node: Node) -> None:
        self.text = text
        self.node = node
        self.names = names(node)
        self._exact = exact.Evaluator(node)
        self._fast = _function(node)

    def __call__(self, variables: Mapping[str, object]) -> Any:
        """The value for these variables. Raises `CelEvaluationError` and nothing else."""
        try:
            return self._fast(variables)
        except CelBudgetError:
            raise
        except Exception:
            return self._exact.run(variables)

    def explain(self, variables: Mapping[str, object]) -> exact.Explanation:
        """The same, with the way there. Raises nothing."""
        return self._exact.explain(variables)

    def __repr__(self) -> str:
        return f"Program({self.text!r})"


def compile(text: str) -> Program:
    """An expression over any variables. Raises `CelSyntaxError` where the text is not in the profile."""
    text = exactly(text, "an expression")
    node = parse(text)
    check_constants(node, text)
    return Program(text, node)


class _Variables(Scope):
    """All names, read from one mapping that the compiled function gets."""

    def load(self, path: Path) -> ast.expr | None:
        return ast.Subscript(ast.Name("v", ast.Load()), ast.Constant(path[0]), ast.Load()) if len(path) == 1 else None

    def fallible(self, path: Path) -> bool:
        return True


def _function(node: Node) -> Callable[[Mapping[str, object]], Any]:
    scope = _Variables()
    arguments = ast.arguments([], [ast.arg("v")], None, [], [], None, [])
    tree = ast.fix_missing_locations(ast.Expression(ast.Lambda(arguments, emit.expression(node, scope))))
    made: Callable[[Mapping[str, object]], Any]
    made = eval(builtins.compile(tree, "<cel>", "eval"), {**emit.HELPERS, **scope.namespace})
    return made
