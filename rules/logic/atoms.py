"""A condition, taken apart into what must be so for it to be true (`positive`), or to be false (`negative`)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from rules import cel
from rules.cel.nodes import Binary, Conditional, Has, Logic, Node, Unary
from rules.logic.terms import UNKNOWN, Bindings, Key, constant, constants, path, reads, term

_FLIPPED: Final = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}
_OPPOSITE: Final = {"<": ">=", "<=": ">", ">": "<=", ">=": "<", "==": "!=", "!=": "=="}


@dataclass(frozen=True, slots=True, eq=False)
class Atom:
    """Something that must be so, of which no more is known than what it reads."""

    node: Node
    holds: bool
    """Whether `node` is true, or false."""
    reads: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True, eq=False)
class Compared(Atom):
    """A term with a constant."""

    term: Node
    key: Key
    operator: str
    value: Any


@dataclass(frozen=True, slots=True, eq=False)
class Listed(Atom):
    """A term is one of some constants, or (not `holds`) none of them."""

    term: Node
    key: Key
    values: list[Any]


@dataclass(frozen=True, slots=True, eq=False)
class Related(Atom):
    """Two terms with each other."""

    left: Key
    right: Key
    operator: str


@dataclass(frozen=True, slots=True, eq=False)
class Asked(Atom):
    """`has`: the path is there, or (not `holds`) it is not."""

    path: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Fixed(Atom):
    """It has the same value always: `value`, or None if it never has one."""

    value: bool | None


@dataclass(frozen=True, slots=True, eq=False)
class Either(Atom):
    """At least one of these branches."""

    branches: tuple[tuple[Atom, ...], ...]


def positive(node: Node, lets: Bindings) -> tuple[Atom, ...]:
    return _Taking(lets).apart(node, True)


def negative(node: Node, lets: Bindings) -> tuple[Atom, ...]:
    return _Taking(lets).apart(node, False)


class _Taking:
    def __init__(self, lets: Bindings) -> None:
        self._lets = lets

    def apart(self, node: Node, holds: bool) -> tuple[Atom, ...]:
        match node:
            case Unary(operator="!"):
                return self.apart(node.operand, not holds)
            case Logic():
                parts = [self.apart(operand, holds) for operand in node.operands]
                if (node.operator == "&&") == holds:
                    return tuple(atom for part in parts for atom in part)
                return (Either(node, holds, (), tuple(parts)),)
            case Conditional():
                asked = self.apart(node.condition, True) + self.apart(node.then, holds)
                other = self.apart(node.condition, False) + self.apart(node.otherwise, holds)
                return (Either(node, holds, tuple(reads(node, self._lets)), (asked, other)),)
            case Has():
                found = path(node.operand, self._lets)
                return (self._plain(node, holds) if found is None else Asked(node, holds, (), (*found, node.field)),)
            case Binary() if node.operator in _OPPOSITE:
                return (self._comparison(node, holds),)
            case Binary(operator="in"):
                return (self._listed(node, holds),)
            case cel.Node() if (meant := self._meant(node)) is not None:
                return self.apart(meant, holds)
            case _:
                return (self._truth(node, holds),)

    def _meant(self, node: Node) -> Node | None:
        """What a `let` name stands for, if that is more than a path. What was meant once is not looked up again."""
        name = path(node, {})
        if name is None or len(name) != 1 or path(node, self._lets) != name:
            return None
        meant = self._lets.get(name[0])
        if meant is not None:
            self._lets = {each: value for each, value in self._lets.items() if each != name[0]}
        return meant

    def _plain(self, node: Node, holds: bool) -> Atom:
        return Atom(node, holds, tuple(reads(node, self._lets)))

    def _truth(self, node: Node, holds: bool) -> Atom:
        value = _attempt(constant, node)
        if value is not UNKNOWN:
            return Fixed(node, holds, (), value == holds if isinstance(value, bool) else None)
        found = tuple(reads(node, self._lets))
        return Compared(node, holds, found, node, term(node, self._lets), "==", holds)

    def _comparison(self, node: Binary, holds: bool) -> Atom:
        left, right, operator = node.left, node.right, node.operator
        a, b = _attempt(constant, left), _attempt(constant, right)
        if a is not UNKNOWN and b is not UNKNOWN:
            value = _attempt(constant, node)
            return Fixed(node, holds, (), value == holds if isinstance(value, bool) else None)
        if a is not UNKNOWN:
            left, operator, b = right, _FLIPPED[operator], a
        if not holds:
            operator = _OPPOSITE[operator]
        found = tuple(reads(node, self._lets))
        if b is UNKNOWN:
            return Related(node, holds, found, term(left, self._lets), term(right, self._lets), operator)
        if b is FAILED:
            return Fixed(node, holds, (), None)
        if isinstance(b, (list, dict)):
            return Atom(node, holds, found)
        return Compared(node, holds, found, left, term(left, self._lets), operator, b)

    def _listed(self, node: Binary, holds: bool) -> Atom:
        values = _attempt(constants, node.right)
        if not isinstance(values, list) or _attempt(constant, node.left) is not UNKNOWN:
            return self._plain(node, holds)
        return Listed(node, holds, tuple(reads(node, self._lets)), node.left, term(node.left, self._lets), values)


FAILED: Final = object()
"""What stands for the value of a constant expression that has none."""


def _attempt(what: Callable[[Node], Any], node: Node) -> Any:
    try:
        return what(node)
    except cel.CelError:
        return FAILED
