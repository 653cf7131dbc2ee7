"""What functions of a file change of the file's own names: such a change is gone after a restart, and there at a
replay before its time. Found where it is plain to see: `SEEN.append(…)`, `COUNTS[key] = …`, `CONFIG.x = …`."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Final

CHANGING: Final = frozenset(
    (
        "add append appendleft clear discard extend insert pop popitem popleft remove reverse setdefault sort update"
    ).split()
)

_Function = ast.FunctionDef | ast.Lambda


def changed(tree: ast.Module) -> Iterator[tuple[ast.AST, str]]:
    """Where, and the name."""
    names = {name for node in tree.body for name in _bound(node)}
    for node in tree.body:
        for function in ast.walk(node):
            if isinstance(function, (ast.FunctionDef, ast.Lambda)):
                yield from _in(function, names - _own(function))


def _in(function: _Function, names: set[str]) -> Iterator[tuple[ast.AST, str]]:
    for node in ast.walk(function):
        of: ast.expr | None = None
        if isinstance(node, (ast.Subscript, ast.Attribute)) and not isinstance(node.ctx, ast.Load):
            of = node.value
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in CHANGING:
            of = node.func.value
        while isinstance(of, (ast.Subscript, ast.Attribute)):
            of = of.value
        if isinstance(of, ast.Name) and of.id in names:
            yield node, of.id


def _bound(node: ast.stmt) -> Iterator[str]:
    """The variables that a line of the file sets; functions, classes and imports are none."""
    if isinstance(node, (ast.Assign, ast.AnnAssign, ast.AugAssign, ast.For, ast.With, ast.If, ast.Try)):
        yield from (
            each.id for each in ast.walk(node) if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)
        )


def _own(function: _Function) -> set[str]:
    """Its arguments and variables, and those of functions within it."""
    return {
        each.arg if isinstance(each, ast.arg) else each.id
        for each in ast.walk(function)
        if isinstance(each, ast.arg) or (isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store))
    }
