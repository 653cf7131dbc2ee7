"""The syntax tree: tiny typed records with the place in the text they came from.

`rules.cel.parse` makes them, everybody else reads them; they are never changed. `start` and `end` are offsets of code
points. Chains (`a + b + c`, `a.b.c`, `x.map(…).filter(…)`) lean to the left and may be as deep as the text allows,
so a pass over a tree walks down `first()` in a loop, and recurses only into what nests by brackets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

Constant = None | bool | int | float | str


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    start: int
    end: int


@dataclass(frozen=True, slots=True, eq=False)
class Literal(Node):
    """A constant. Whole numbers are always `int`: nothing may depend on `7` having been written `7.0`."""

    value: Constant


@dataclass(frozen=True, slots=True, eq=False)
class Name(Node):
    name: str


@dataclass(frozen=True, slots=True, eq=False)
class Select(Node):
    operand: Node
    field: str
    field_start: int


@dataclass(frozen=True, slots=True, eq=False)
class Has(Node):
    """`has(operand.field)`."""

    operand: Node
    field: str
    field_start: int


@dataclass(frozen=True, slots=True, eq=False)
class Index(Node):
    operand: Node
    key: Node


@dataclass(frozen=True, slots=True, eq=False)
class Unary(Node):
    """`!` or `-`."""

    operator: str
    operand: Node


@dataclass(frozen=True, slots=True, eq=False)
class Binary(Node):
    """Comparison, arithmetic or `in`."""

    operator: str
    left: Node
    right: Node
    operator_start: int


@dataclass(frozen=True, slots=True, eq=False)
class Logic(Node):
    """`&&` or `||` over two or more operands."""

    operator: str
    operands: tuple[Node, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Conditional(Node):
    condition: Node
    then: Node
    otherwise: Node


@dataclass(frozen=True, slots=True, eq=False)
class ListLiteral(Node):
    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True, eq=False)
class MapLiteral(Node):
    entries: tuple[tuple[Node, Node], ...]


@dataclass(frozen=True, slots=True, eq=False)
class Call(Node):
    """`function(…)`, or `target.function(…)`."""

    function: str
    target: Node | None
    arguments: tuple[Node, ...]
    name_start: int


@dataclass(frozen=True, slots=True, eq=False)
class Comprehension(Node):
    """A macro over a list or the keys of a map: `exists`, `all`, `exists_one`, `filter` have a predicate, `map` a
    transform and perhaps a predicate. `cost` is the number of nodes that one element may evaluate, calls weighed
    (`build.CALL`)."""

    macro: str
    operand: Node
    variable: str
    predicate: Node | None
    transform: Node | None
    cost: int


@dataclass(frozen=True, slots=True, eq=False)
class Render(Node):
    """A payload string: one whole `${…}`, or text made of parts. No grammar rule makes it: `template` does."""

    parts: tuple[Node, ...]
    whole: bool


_FIRST: dict[type, Callable[[Any], Node | None]] = {
    Select: attrgetter("operand"),
    Has: attrgetter("operand"),
    Unary: attrgetter("operand"),
    Index: attrgetter("operand"),
    Comprehension: attrgetter("operand"),
    Binary: attrgetter("left"),
    Call: attrgetter("target"),
}


def first(node: Node) -> Node | None:
    """The leftmost operand, which is evaluated first and may be deep."""
    get = _FIRST.get(node.__class__)
    return None if get is None else get(node)


def children(node: Node) -> tuple[Node, ...]:
    match node:
        case Select() | Has() | Unary():
            return (node.operand,)
        case Index():
            return (node.operand, node.key)
        case Binary():
            return (node.left, node.right)
        case Logic():
            return node.operands
        case Conditional():
            return (node.condition, node.then, node.otherwise)
        case ListLiteral():
            return node.items
        case Render():
            return node.parts
        case MapLiteral():
            return tuple(part for entry in node.entries for part in entry)
        case Call():
            return node.arguments if node.target is None else (node.target, *node.arguments)
        case Comprehension():
            bodies = (node.predicate, node.transform)
            return (node.operand, *(body for body in bodies if body is not None))
        case _:
            return ()


def walk(node: Node) -> Iterator[Node]:
    """The node and all below it, in the order of the text."""
    stack = [node]
    while stack:
        node = stack.pop()
        yield node
        stack.extend(reversed(children(node)))


def depth(node: Node) -> int:
    """The number of nodes on the longest way down."""
    deepest = 0
    stack = [(node, 1)]
    while stack:
        node, level = stack.pop()
        deepest = max(deepest, level)
        stack.extend((child, level + 1) for child in children(node))
    return deepest
