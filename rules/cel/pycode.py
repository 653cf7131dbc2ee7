"""Small pieces of Python's `ast`, by the names that `emitter` and `emit` speak in."""

from __future__ import annotations

import ast
from typing import Any

from rules.cel.nodes import Constant


def name(variable: str) -> ast.expr:
    return ast.Name(variable, ast.Load())


def call(helper: str, *arguments: ast.expr) -> ast.expr:
    return ast.Call(name(f"_cel_{helper}"), list(arguments), [])


def assigned(variable: str, value: ast.expr) -> ast.expr:
    return ast.NamedExpr(ast.Name(variable, ast.Store()), value)


def identical(value: ast.expr, constant: bool | None, *, negated: bool = False) -> ast.expr:
    return ast.Compare(value, [ast.IsNot() if negated else ast.Is()], [ast.Constant(constant)])


def number(code: ast.Constant) -> float:
    return code.value if isinstance(code.value, (int, float)) else float("inf")


def constant_set(found: list[Constant]) -> ast.expr:
    frozen: Any = frozenset(found)
    return ast.Constant(frozen)


def class_is(value: ast.expr, helper: str, *, negated: bool = False) -> ast.expr:
    found = ast.Attribute(value, "__class__", ast.Load())
    return ast.Compare(found, [ast.IsNot() if negated else ast.Is()], [name(f"_cel_{helper}")])
