"""Terms: what conditions compare. Two expressions that say the same are one term, and have one value at one moment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from rules import cel
from rules.cel.nodes import (
    Comprehension,
    Conditional,
    Has,
    Index,
    ListLiteral,
    Literal,
    Logic,
    Name,
    Node,
    Select,
    children,
)
from rules.cel.paths import is_further
from rules.node_id import said

Key = tuple[str, ...] | bytes
"""A path, or what any other expression says."""

Bindings = Mapping[str, Node]
"""`let` names → what they stand for. None of them is bound by a macro around."""

UNKNOWN: Final = object()


def term(node: Node, lets: Bindings) -> Key:
    found = path(node, lets)
    return said(node) if found is None else found


def path(node: Node, lets: Bindings) -> tuple[str, ...] | None:
    """As `cel.path`, but `a['b']` is `a.b`, and a name that stands for a path is that path."""
    fields: list[str] = []
    for _ in range(100):
        if isinstance(node, Select):
            fields.append(node.field)
            node = node.operand
        elif isinstance(node, Index) and isinstance(node.key, Literal) and isinstance(node.key.value, str):
            fields.append(node.key.value)
            node = node.operand
        elif isinstance(node, Name):
            name = node.name
            meant = lets.get(name)
            if meant is None or path(meant, {}) is None:
                return (name, *reversed(fields))
            node, lets = meant, {other: each for other, each in lets.items() if other != name}
        else:
            break
    return None


def constant(node: Node) -> Any:
    """The value of an expression that reads nothing; UNKNOWN for one that does. Raises CelError where it has none."""
    if isinstance(node, Literal):
        return node.value
    if isinstance(node, (Name, Select, Has)) or cel.names(node) or any(map(is_further, cel.walk(node))):
        return UNKNOWN
    if isinstance(node, Comprehension):
        return UNKNOWN
    return cel.Evaluator(node).run({})


def constants(node: Node) -> list[Any] | None:
    """The values of a list that reads nothing."""
    if not isinstance(node, ListLiteral):
        return None
    found = [constant(item) for item in node.items]
    return None if any(value is UNKNOWN or isinstance(value, (list, dict)) for value in found) else found


def reads(node: Node, lets: Bindings) -> Iterator[tuple[str, ...]]:
    """The paths that are surely read, and so surely there, if the expression has a value."""
    stack = [node]
    while stack:
        node = stack.pop()
        found = path(node, lets) if isinstance(node, (Select, Index, Name)) else None
        if found is not None:
            yield found
        elif isinstance(node, Conditional):
            stack.append(node.condition)
        elif isinstance(node, Comprehension):
            stack.append(node.operand)
        elif not isinstance(node, (Has, Logic)) and not is_further(node):
            stack.extend(children(node))
