"""Builds tree nodes while lark parses: one method for each alternative of `grammar.lark`, by its name there.

Used by `rules.cel.parse` alone. It holds no state and knows no text, so one instance serves all parses; a macro of the
wrong shape is a `ShapeError`, which the parser turns into a `CelSyntaxError` with the text.
"""

from __future__ import annotations

import math
from typing import Final

from lark import Token, Transformer, v_args

from rules.cel.nodes import (
    Binary,
    Call,
    Comprehension,
    Conditional,
    Has,
    Index,
    ListLiteral,
    Literal,
    Logic,
    MapLiteral,
    Name,
    Node,
    Select,
    Unary,
    walk,
)
from rules.cel.numbers import negate

Nodes = tuple[Node, ...]
MACROS = frozenset(("exists", "all", "exists_one", "filter", "map"))


class ShapeError(Exception):
    def __init__(self, message: str, start: int, end: int, hint: str | None = None) -> None:
        super().__init__(message)
        self.message, self.start, self.end, self.hint = message, start, end, hint


def _start(token: Token) -> int:
    return token.start_pos or 0


def _end(token: Token) -> int:
    return token.end_pos or 0


@v_args(inline=True)
class Builder(Transformer[Token, Node]):
    def conditional(self, condition: Node, _q: Token, then: Node, _c: Token, otherwise: Node) -> Node:
        return Conditional(condition.start, otherwise.end, condition, then, otherwise)

    def logic(self, left: Node, operator: Token, right: Node) -> Node:
        # `a && b && c` is one node; brackets may dissolve in it, because absorption of errors is associative
        before = left.operands if isinstance(left, Logic) and left.operator == operator else (left,)
        return Logic(left.start, right.end, str(operator), (*before, right))

    def binary(self, left: Node, operator: Token, right: Node) -> Node:
        return Binary(left.start, right.end, str(operator), left, right, _start(operator))

    def unary(self, operator: Token, operand: Node) -> Node:
        start = _start(operator)
        value = operand.value if isinstance(operand, Literal) else None
        if operator == "-" and isinstance(value, (int, float)) and not isinstance(value, bool):
            # 2**63 itself is no number of 64 bits, but its negative is
            return Literal(start, operand.end, negate(value) if value < 0 else -value)
        return Unary(start, operand.end, str(operator), operand)

    def select(self, operand: Node, _dot: Token, field: Token) -> Node:
        return Select(operand.start, _end(field), operand, field.strip("`"), _start(field))

    def method(self, target: Node, _d: Token, name: Token, _l: Token, arguments: Nodes, end: Token) -> Node:
        if name in MACROS and _is_macro(str(name), arguments):
            return _comprehension(target, name, arguments, _end(end))
        return Call(target.start, _end(end), name.strip("`"), target, arguments, _start(name))

    def index(self, operand: Node, _l: Token, key: Node, end: Token) -> Node:
        return Index(operand.start, _end(end), operand, key)

    def integer(self, token: Token) -> Node:
        digits = str(token)
        value = int(digits, 16) if digits[:2] in ("0x", "0X") else _decimal(digits)
        return Literal(_start(token), _end(token), value)

    def decimal(self, token: Token) -> Node:
        value = float(token)
        if math.isinf(value):
            raise ShapeError("the number is too large", _start(token), _end(token))
        whole = value.is_integer() and abs(value) < 2**63
        return Literal(_start(token), _end(token), int(value) if whole else value)

    def string(self, token: Token) -> Node:
        return Literal(_start(token), _end(token), str(token))

    def true(self, token: Token) -> Node:
        return Literal(_start(token), _end(token), True)

    def false(self, token: Token) -> Node:
        return Literal(_start(token), _end(token), False)

    def null(self, token: Token) -> Node:
        return Literal(_start(token), _end(token), None)

    def name(self, token: Token) -> Node:
        return Name(_start(token), _end(token), str(token))

    def rooted_name(self, dot: Token, token: Token) -> Node:
        return Name(_start(dot), _end(token), str(token))

    def call(self, name: Token, _open: Token, arguments: Nodes, end: Token) -> Node:
        if name == "has":
            return _has(name, arguments, _end(end))
        return Call(_start(name), _end(end), str(name), None, arguments, _start(name))

    def rooted_call(self, _dot: Token, name: Token, opening: Token, arguments: Nodes, end: Token) -> Node:
        return self.call(name, opening, arguments, end)

    def parenthesis(self, _open: Token, node: Node, _close: Token) -> Node:
        return node

    def list(self, opening: Token, *rest: Node | Token) -> Node:
        items = tuple(item for item in rest if isinstance(item, Node))
        return ListLiteral(_start(opening), _end(_last(rest)), items)

    def map(self, opening: Token, *rest: tuple[Node, Node] | Token) -> Node:
        entries = tuple(entry for entry in rest if not isinstance(entry, Token))
        return MapLiteral(_start(opening), _end(_last(rest)), entries)

    def entry(self, key: Node, _colon: Token, value: Node) -> tuple[Node, Node]:
        return key, value

    def arguments(self, *rest: Node | Token) -> tuple[Node, ...]:
        return tuple(argument for argument in rest if isinstance(argument, Node))


def _last(rest: tuple[object, ...]) -> Token:
    last = rest[-1]
    assert isinstance(last, Token)
    return last


def _decimal(digits: str) -> int:
    # beyond this no number fits, and very long ones would be slow, or refused by Python
    return int(digits) if len(digits.lstrip("0")) <= 20 else 2**64


def _has(name: Token, arguments: Nodes, end: int) -> Node:
    if len(arguments) == 1 and isinstance(arguments[0], Select):
        path = arguments[0]
        return Has(_start(name), end, path.operand, path.field, path.field_start)
    raise ShapeError("`has` takes one field", _start(name), end, "write `has(event.data.field)`")


def _is_macro(name: str, arguments: Nodes) -> bool:
    return len(arguments) == 2 or (name == "map" and len(arguments) == 3)


CALL: Final = 3
"""What a call costs, in other nodes: texts of numbers and parts of dates take longest."""


def _comprehension(target: Node, macro: Token, arguments: Nodes, end: int) -> Node:
    variable = arguments[0]
    if not isinstance(variable, Name):
        raise ShapeError(f"`{macro}` needs a plain name first", variable.start, variable.end, f"write `{macro}(x, …)`")
    bodies = arguments[1:]
    predicate = bodies[0] if macro != "map" or len(bodies) == 2 else None
    transform = bodies[-1] if macro == "map" else None
    cost = sum(CALL if isinstance(part, Call) else 1 for body in bodies for part in walk(body))
    return Comprehension(target.start, end, str(macro), target, variable.name, predicate, transform, cost)
