"""The places of an expression that are true or false, and what is known there of the terms that they compare.

What schemas declare holds for events that fit them; others take the slow path, and messages say so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Final

from rules import cel
from rules.cel import times, values
from rules.cel.functions import FUNCTIONS, METHODS
from rules.cel.nodes import Call, Comprehension, Conditional, Logic, Node, Unary, children
from rules.cel.types import ANY, BOOL, INTEGER, NUMBER, Record, Type, family
from rules.checks.environment import Environments
from rules.checks.position import Position
from rules.logic import Atom, Bindings, Domain, Key, Known, Reason, clash, positive
from rules.model.rule import Rule
from rules.reading.event_types import overlap

ROLES: Final = ("when", "unless", "having", "step")
"""Of positions that are conditions as a whole."""
AGGREGATED: Final[dict[str, Type]] = {"count": INTEGER, "distinct": INTEGER, "sum": NUMBER, "avg": NUMBER}
"""Aggregates whose value is of one type, whatever their argument is."""
_TEXTS: Final = frozenset((values.STRING,))
_TIMES: Final = frozenset((values.TIMESTAMP,))
_ATTRIBUTES: Final = {**dict.fromkeys(("id", "source", "subject"), _TEXTS), "time": _TIMES}
_CALENDAR: Final = {
    "getMonth": (0, 11),
    "getDate": (1, 31),
    "getDayOfMonth": (0, 30),
    "getDayOfWeek": (0, 6),
    "getDayOfYear": (0, 365),
}
"""What accessors answer that only timestamps have."""
_CLOCK: Final = {"getHours": (0, 23), "getMinutes": (0, 59), "getSeconds": (0, 59), "getMilliseconds": (0, 999)}
"""Of timestamps. Of durations it may be more."""


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """Somewhere in an expression where a value is asked whether it is true."""

    node: Node
    lets: Bindings
    known: Known
    whole: bool
    """Whether it is the whole of a condition, and not a part of an expression."""
    conditions: list[Node]
    """The conjuncts of it. None of `||` within a larger expression, each side of which is a place of its own."""
    atoms: list[tuple[Atom, ...]]
    """Of each condition, for it to be true."""
    reason: Reason | None
    """Why it can never be true."""


def places(environments: Environments, position: Position) -> Iterator[Place]:
    """From outside in. A chain of `&&` is one place, and its conjuncts are none of their own."""
    lets = _lets(position)
    root = position.node
    # a condition of another type is refused for that
    boolean = position.kind is BOOL or (position.role in ROLES and family(position.kind) in (None, BOOL.name))
    stack: list[tuple[Node, bool, frozenset[str]]] = [(root, boolean, frozenset())]
    while stack:
        node, asked, bound = stack.pop()
        if asked or isinstance(node, Logic):
            free = lets if not bound else {name: each for name, each in lets.items() if name not in bound}
            whole = node is root and position.role in ROLES
            known = partial(_known, environments, position, bound)
            if whole or not isinstance(node, Logic) or node.operator == "&&":
                conditions = cel.conjuncts(node)
                atoms = [positive(each, free) for each in conditions]
                reason = clash(chain.from_iterable(atoms), known, free)
                yield Place(node, free, known, whole, conditions, atoms, reason)
            else:
                yield Place(node, free, known, whole, [], [], None)
        if isinstance(node, Logic) and node.operator == "&&":
            for each in cel.conjuncts(node):
                stack += _below(each, bound) if not isinstance(each, Logic) else [(each, True, bound)]
        else:
            stack += _below(node, bound)


def _below(node: Node, bound: frozenset[str]) -> Iterator[tuple[Node, bool, frozenset[str]]]:
    match node:
        case Logic():
            yield from ((operand, True, bound) for operand in node.operands)
        case Unary(operator="!"):
            yield node.operand, True, bound
        case Conditional():
            yield from ((node.condition, True, bound), (node.then, False, bound), (node.otherwise, False, bound))
        case Comprehension():
            yield node.operand, False, bound
            inner = bound | {node.variable}
            for body in children(node)[1:]:
                yield body, body is node.predicate, inner
        case _:
            yield from ((child, False, bound) for child in children(node))


def _lets(position: Position) -> Mapping[str, Node]:
    """What `let` names stand for: of a `let` value those before it."""
    owner = position.owner
    if not isinstance(owner, Rule) or position.role in ("by", "unless", "step", "argument"):
        return {}
    found: dict[str, Node] = {}
    for name, expression in owner.let:
        if position.role == "let" and expression is position.text:
            break
        if name in position.environment:
            found[name] = expression.node
    return found


# ------------------------------------------------------------ what is known


def _known(environments: Environments, position: Position, bound: frozenset[str], node: Node, key: Key) -> Domain:
    if isinstance(key, bytes):
        return _computed(environments, position, bound, node)
    if key[0] in bound:
        return Domain()
    if key[0] == "event" or any(key[0] == name for name, _ in position.others):
        return _of_event(environments, position, key)
    if key == ("key",):
        return Domain(_TEXTS)
    if key == ("now",):
        return Domain(_TIMES)
    if key[0] == "tables" and len(key) == 3:
        return Domain(allowed=environments.answers.get((key[1], key[2])))
    if len(key) == 1 and key[0].endswith(")"):
        return _aggregated(key[0])
    row = environments.rows.get(key[0])
    if len(key) == 2 and isinstance(row, Record) and key[1] in row.fields:
        return _domain(row.fields[key[1]][0], True)
    return Domain()


def _of_event(environments: Environments, position: Position, key: tuple[str, ...]) -> Domain:
    return _event_domain(environments, events(position, key[0]), key[1:])


def _event_domain(environments: Environments, types: tuple[str, ...], key: tuple[str, ...]) -> Domain:
    if key == ("type",):
        exact = all("*" not in type for type in types)
        return Domain(_TEXTS, allowed=types if exact and types else None, fits=partial(_heard, types))
    if len(key) == 1:
        return Domain(_ATTRIBUTES.get(key[0]))
    if key[0] == "data":
        kinds, whole = environments.field(types, key[1:])
        return Domain(kinds, whole=whole)
    return Domain()


def events(position: Position, root: str) -> tuple[str, ...]:
    """The types and patterns that `event`, or another event that the position may read, can be of."""
    return next((types for name, types in position.others if name == root), position.events)


def _aggregated(name: str) -> Domain:
    """Of a name that stands for an aggregate (`rules.aggregates`)."""
    kind = AGGREGATED.get(name.partition("(")[0], ANY)
    found = _domain(kind, False)
    if kind is INTEGER:
        # a window holds one event at least
        found.compare(">=", 1)
    return found


def _heard(types: tuple[str, ...], type: object) -> bool:
    return isinstance(type, str) and any(overlap(heard, type) for heard in types)


def _computed(environments: Environments, position: Position, bound: frozenset[str], node: Node) -> Domain:
    """What is known of a value that is worked out, other than a path."""
    if not isinstance(node, Call) or node.function == "dyn":
        return Domain()
    function = (FUNCTIONS if node.target is None else METHODS).get(node.function)
    if function is None or function.result is ANY:
        return Domain()
    found = _domain(function.result, False)
    limits = (0, None) if node.function == "size" else _CALENDAR.get(node.function)
    if (
        node.function in _CLOCK
        and node.target is not None
        and _is_timestamp(environments, position, bound, node.target)
    ):
        limits = _CLOCK[node.function]
    if limits is not None:
        found.compare(">=", limits[0])
        if limits[1] is not None:
            found.compare("<=", limits[1])
    return found


def _is_timestamp(environments: Environments, position: Position, bound: frozenset[str], node: Node) -> bool:
    path = cel.path(node)
    if path is None:
        return isinstance(node, Call) and node.target is None and node.function == "timestamp"
    return _known(environments, position, bound, node, path).kinds == _TIMES


def _domain(kind: Type, nullable: bool) -> Domain:
    known = family(kind)
    if known is None:
        return Domain()
    return Domain((known, values.NULL) if nullable else (known,), whole=kind is INTEGER)


assert {*_CALENDAR, *_CLOCK, "getFullYear"} == {*times.CALENDAR}
