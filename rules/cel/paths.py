"""What a tree reads: names, paths, and the shape of conditions that an index can use.

For rule compilers: which fields must be kept or loaded, which conjuncts pin a field to constants. All functions take
any tree and never raise. A path is a tuple such as `('event', 'data', 'amount')`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from rules.cel.functions import FUNCTIONS
from rules.cel.nodes import (
    Binary,
    Call,
    Comprehension,
    Constant,
    Has,
    ListLiteral,
    Literal,
    Logic,
    Name,
    Node,
    Select,
    children,
)

Path = tuple[str, ...]
_FLIPPED: Final = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}


def path(node: Node) -> Path | None:
    """The path that `a.b.c` is, or None."""
    fields: list[str] = []
    while isinstance(node, Select):
        fields.append(node.field)
        node = node.operand
    return (node.name, *reversed(fields)) if isinstance(node, Name) else None


def is_further(node: Node) -> bool:
    """Whether this calls a function that is not the profile's but the caller's."""
    return isinstance(node, Call) and node.target is None and node.function not in FUNCTIONS


def reads(node: Node, *, inside_calls: bool = True) -> Iterator[tuple[Path, bool]]:
    """Each longest path read from a free name, and whether `has` only asks for it.

    `inside_calls` false leaves out the arguments of further functions, which are not evaluated here.
    """
    stack: list[tuple[Node, frozenset[str]]] = [(node, frozenset())]
    while stack:
        node, bound = stack.pop()
        asked = isinstance(node, Has)
        found = path(node.operand) if isinstance(node, Has) else path(node)
        if found is not None:
            if found[0] not in bound:
                yield ((*found, node.field), True) if isinstance(node, Has) else (found, asked)
        elif isinstance(node, Comprehension):
            stack.extend((body, bound | {node.variable}) for body in children(node)[1:])
            stack.append((node.operand, bound))
        elif inside_calls or not is_further(node):
            stack.extend((child, bound) for child in children(node))


def paths(node: Node) -> set[Path]:
    """All paths that are read, or asked for by `has`."""
    return {found for found, _ in reads(node)}


def names(node: Node) -> frozenset[str]:
    """The free names."""
    return frozenset(found[0] for found, _ in reads(node))


def conjuncts(node: Node) -> list[Node]:
    """The conditions of a top-level `&&`, in order; the node itself where there is none."""
    found: list[Node] = []
    stack = [node]
    while stack:
        node = stack.pop()
        if isinstance(node, Logic) and node.operator == "&&":
            stack.extend(reversed(node.operands))
        else:
            found.append(node)
    return found


def equality(node: Node) -> tuple[Path, tuple[Constant, ...]] | None:
    """The path and the constants of `path == c`, `c == path`, `path in [c, …]`, for strings, numbers and booleans.

    Python takes `1` and `True` for one dictionary key; an index must keep them apart, as CEL does.
    """
    if not isinstance(node, Binary) or node.operator not in ("==", "in"):
        return None
    left, right = node.left, node.right
    if node.operator == "==" and isinstance(left, Literal):
        left, right = right, left
    pinned = path(left)
    listed = right.items if node.operator == "in" and isinstance(right, ListLiteral) else (right,)
    if pinned is None or not listed or (node.operator == "in" and not isinstance(right, ListLiteral)):
        return None
    constants = tuple(item.value for item in listed if isinstance(item, Literal) and item.value is not None)
    return (pinned, constants) if len(constants) == len(listed) else None


def ordering(node: Node) -> tuple[Node, str, Any] | None:
    """What is read, `<`, `<=`, `>` or `>=`, and the constant, of `read > c` or `c < read`."""
    if not isinstance(node, Binary) or node.operator not in _FLIPPED:
        return None
    if isinstance(node.right, Literal):
        return node.left, node.operator, node.right.value
    if isinstance(node.left, Literal):
        return node.right, _FLIPPED[node.operator], node.left.value
    return None
