"""Generated functions: how they are put together.

Rule text never becomes Python source. What rules say arrives as `ast` nodes from `cel.emit`; the frame around it is
quoted from constants of this package (`quote`), in which names in capitals stand for what is filled in.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

from rules.cel import emit


class Deferred:
    """A function that is generated at its first call: most exact twins are never needed, and most buckets of an index
    never hit. Two threads may both generate it; they get equal functions."""

    __slots__ = ("_made", "_make", "_told")

    def __init__(self, make: Callable[[], Callable[..., Any]]) -> None:
        self._make = make
        self._made: Callable[..., Any] | None = None
        self._told: list[Callable[[Callable[..., Any]], None]] = []

    def tell(self, told: Callable[[Callable[..., Any]], None]) -> None:
        """Hands over the function itself, when it is made: who holds it need not come here again."""
        self._told.append(told)

    def __call__(self, *arguments: Any) -> Any:
        if self._made is None:
            self._made = self._make()
            for told in self._told:
                told(self._made)
        return self._made(*arguments)


def name(variable: str) -> ast.expr:
    return ast.Name(variable, ast.Load())


def assign(variable: str, value: ast.expr) -> ast.stmt:
    return ast.Assign([ast.Name(variable, ast.Store())], value)


def used(body: Iterable[ast.stmt]) -> set[str]:
    """The names that a piece of code reads."""
    return {
        node.id
        for statement in body
        for node in ast.walk(statement)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
    }


def quote(source: str, **filled: list[ast.stmt] | ast.expr) -> list[ast.stmt]:
    """The statements of a constant source. A line that is one name in capitals becomes the statements given for it;
    such a name within an expression becomes the expression."""
    return [statement for part in ast.parse(source).body for statement in _statements(_Fill(filled).visit(part))]


def function(
    title: str, parameters: str, body: list[ast.stmt], namespace: dict[str, object], prologue: str = ""
) -> Callable[..., Any]:
    """A Python function of code that sees `namespace` and the helpers of `emit`, and no builtins.

    `prologue` is constant source, one assignment a line; those of names that nobody below reads are left out."""
    needed = used(body)
    kept: list[ast.stmt] = []
    for line in reversed(_lines(prologue)):
        assert isinstance(line, ast.Assign)
        assert isinstance(line.targets[0], ast.Name)
        if line.targets[0].id in needed:
            kept.append(line)
            needed |= used([line])
    arguments = ast.arguments([], [ast.arg(each) for each in parameters.split()], None, [], [], None, [])
    made = ast.parse("def f(): pass").body[0]
    assert isinstance(made, ast.FunctionDef)
    made.name, made.args, made.body = "generated", arguments, [*reversed(kept), *body] or [ast.Pass()]
    module = ast.fix_missing_locations(ast.Module([made], []))
    space: dict[str, Any] = {**emit.HELPERS, **namespace}
    exec(builtins.compile(module, f"<rules: {title}>", "exec"), space)
    result: Callable[..., Any] = space["generated"]
    return result


@cache
def _parsed(source: str) -> str:
    return "\n".join(line.strip() for line in source.splitlines() if line.strip())


def _lines(source: str) -> list[ast.stmt]:
    return ast.parse(_parsed(source)).body


def _statements(made: Any) -> list[ast.stmt]:
    return made if isinstance(made, list) else [made]


class _Fill(ast.NodeTransformer):
    def __init__(self, filled: dict[str, list[ast.stmt] | ast.expr]) -> None:
        self.filled = filled

    def visit_Expr(self, node: ast.Expr) -> Any:
        if isinstance(node.value, ast.Name) and node.value.id in self.filled:
            # what is filled in is not looked at: it may be long, and holds no names of ours
            return self.filled[node.value.id] or ast.Pass()
        return self.generic_visit(node)

    def visit_Name(self, node: ast.Name) -> Any:
        return self.filled.get(node.id, node)
