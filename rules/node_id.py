"""The name of a stateful node: the hash of its definition.

State lies in cells under these ids, so a node keeps its state for as long as it means the same, whatever else in the
rule set was edited, and one that means something else starts empty. A definition is what decides *which* state there
is: of a projection `by`, `fold`, `initial`, `delete` and `scope`; of a deadline `on`, `by`, `when`, `let`, `after`,
`unless` and `pending`; of a window `on`, `by`, `when`, `let`, `over` and which aggregates are asked of which
arguments, but not what `having` does with them; of a sequence its steps, `by`, `within` and what has to be kept of
events; of `settle` and of a throttle the definition of the firing that they look at, and their time; of `settle` also
which aggregates and steps the firings that wait hold values of. A decision table
that one of these expressions reads is part of it, with all its rows. Names, priorities, actions and texts for people
are no part of it. Expressions count by what they say, not by how they are spaced.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from typing import Any, Final

import orjson

from rules import cel
from rules.cel import nodes, values
from rules.kept_fields import kept_fields
from rules.model.projection import Projection
from rules.model.rule import Rule
from rules.model.sequence import Sequence
from rules.model.source import Expression, Payload, TemplateText
from rules.model.table import Cell, Row, Table
from rules.model.window import Window

SUBJECT: Final = cel.parse("event.subject")
"""What `by` is where a rule says nothing."""


class NodeIds:
    """Draws ids. Two nodes of one rule set with equal definitions get different ids, by their order in the file: each
    has a state of its own, and as their states are equal too it does not matter which is which."""

    def __init__(self) -> None:
        self._drawn: dict[str, int] = {}

    def draw(self, definition: list[Any]) -> str:
        plain = _digest(definition)
        seen = self._drawn.get(plain, 0)
        self._drawn[plain] = seen + 1
        return plain if not seen else _digest([definition, seen])


def route_id(by: Expression | None) -> str:
    """The name of a `by` expression: rules and projections that say the same share their forwarded events."""
    return _digest(["route", _by(by)])


def said(node: cel.Node) -> bytes:
    """Equal for trees that say the same, wherever they stand."""
    return orjson.dumps(_flat(node))


def projection_definition(projection: Projection) -> list[Any]:
    folds = sorted((type, _named(sorted(fields, key=_name))) for type, fields in projection.fold)
    initial = _named(sorted(projection.initial, key=_name))
    everywhere = ["everywhere"] if projection.everywhere else []
    return ["projection", _by(projection.by), folds, initial, sorted(projection.delete), *everywhere]


def kept_definition(projection: Projection) -> list[Any]:
    """When rows go that nothing touches. Not of how long that is: what waits is looked at again when it is due."""
    return ["keep", projection_definition(projection)]


def firing_definition(rule: Rule) -> list[Any]:
    """When a rule fires: all that is stateful about it, but for its throttle."""
    if rule.sequence is not None:
        return [*_sequence(rule, rule.sequence), _tree(rule.when), _named(rule.let)]
    definition: list[Any] = [
        "deadline" if rule.deadline else "event",
        sorted(set(rule.on)),
        _by(rule.by),
        _tree(rule.when),
        _named(rule.let),
    ]
    if rule.window is not None:
        return _with_tables(["having", *definition[1:], _window(rule.window), _tree(rule.having)], rule.tables)
    if rule.deadline is None:
        return _with_tables(definition, rule.tables)
    unless = rule.deadline.unless
    cancelling = None if unless is None else [sorted(set(unless.on)), _tree(unless.when)]
    return _with_tables([*definition, rule.deadline.after, cancelling, rule.deadline.pending], rule.tables)


def sequence_definition(rule: Rule, sequence: Sequence) -> list[Any]:
    """Which partial matches there are, and what is kept in them: what looks at firings keeps its state when actions
    read other fields than before."""
    return [*_sequence(rule, sequence), [None if each is None else [*each] for each in kept_fields(rule)]]


def _sequence(rule: Rule, sequence: Sequence) -> list[Any]:
    steps = [
        [
            step.name,
            step.times,
            *([sorted(set(each.on)), _tree(each.when)] for of, each in sequence.listeners if of is step),
        ]
        for step in sequence.steps
    ]
    return ["sequence", _by(rule.by), steps, sequence.within]


def settle_definition(rule: Rule, asked: Iterable[tuple[str, cel.Node | None]]) -> list[Any]:
    """What waits for quiet, and what it holds for the actions; `asked` are the aggregates: function and argument."""
    held: list[Any] = sorted([function, None if node is None else _digest(_flat(node))] for function, node in asked)
    held += [None if each is None else [*each] for each in kept_fields(rule)]
    return [*_settling(rule), *([held] if held else [])]


def _settling(rule: Rule) -> list[Any]:
    return ["settle", firing_definition(rule), rule.settle]


def window_definition(rule: Rule, kept: Iterable[tuple[str, cel.Node]]) -> list[Any]:
    """What is kept of which events; `kept` are the aggregates with an argument: function and argument."""
    assert rule.window is not None
    values = sorted({(function, _digest(_flat(argument))) for function, argument in kept})
    seen = [sorted(set(rule.on)), _by(rule.by), _tree(rule.when), _named(rule.let)]
    return _with_tables(["window", *seen, _window(rule.window), values], rule.tables)


def throttle_definition(rule: Rule) -> list[Any]:
    return ["throttle", firing_definition(rule) if rule.settle is None else _settling(rule), rule.once_within]


def _window(window: Window) -> list[Any]:
    return [type(window).__name__.lower(), *(getattr(window, field.name) for field in fields(window))]


def table_digest(inputs: Iterable[Expression], hit: str, rows: Iterable[Row]) -> str:
    """Of all that decides what a table answers: what its columns are called by nobody is no part of it."""
    said = [[[_cell(cell) for cell in row.cells], _payload(row.outputs)] for row in rows]
    return _digest(["table", [_tree(each) for each in inputs], hit, said])


def _cell(cell: Cell) -> list[Any]:
    """Times as their text, whose kind is told from that of strings."""
    return [cell.operator, *cell.includes, *([values.kind(each), cel.inline(each)] for each in cell.operands)]


def _payload(payload: Payload) -> Any:
    if isinstance(payload, TemplateText):
        return ["template", _flat(payload.template.node)]
    if isinstance(payload, dict):
        return ["map", sorted([key, _payload(value)] for key, value in payload.items())]
    return ["list", *map(_payload, payload)] if isinstance(payload, list) else payload


def _with_tables(definition: list[Any], tables: Mapping[str, Table]) -> list[Any]:
    """The definition, and those of the tables that it reads: of `tables.NAME` there is a field in front of a name."""
    # asked of the whole first, which is quick
    reads = tables and b'["name","tables"' in orjson.dumps(definition)
    read = {name for name in _selected_of_tables(definition) if name in tables} if reads else None
    return [*definition, ["tables", [[name, tables[name].digest] for name in sorted(read)]]] if read else definition


def _selected_of_tables(definition: Any) -> Iterator[str]:
    for place, part in enumerate(definition):
        if not isinstance(part, list):
            continue
        if part[:2] == ["name", "tables"] and place and definition[place - 1][:1] in (["select"], ["has"]):
            yield definition[place - 1][1]
        yield from _selected_of_tables(part)


def _digest(definition: list[Any]) -> str:
    return hashlib.blake2b(orjson.dumps(definition), digest_size=6).hexdigest()


def _name(named: tuple[str, Expression]) -> str:
    return named[0]


def _named(values: Iterable[tuple[str, Expression]]) -> list[Any]:
    return [[name, _tree(value)] for name, value in values]


def _by(by: Expression | None) -> list[Any]:
    return _flat(SUBJECT if by is None else by.node)


def _tree(expression: Expression | None) -> list[Any] | None:
    return None if expression is None else _flat(expression.node)


def _flat(root: cel.Node) -> list[Any]:
    """A tree without its places in the text: what each node is, in the order of the text, with its number of children.

    Flat, because chains may lean deeper than Python recurses."""
    return [[*_said(node), len(nodes.children(node))] for node in cel.walk(root)]


def _said(node: cel.Node) -> list[Any]:
    match node:
        case nodes.Literal():
            return ["literal", node.value]
        case nodes.Name():
            return ["name", node.name]
        case nodes.Select():
            return ["select", node.field]
        case nodes.Has():
            return ["has", node.field]
        case nodes.Unary() | nodes.Binary() | nodes.Logic():
            return [type(node).__name__.lower(), node.operator]
        case nodes.Call():
            return ["call", node.function, node.target is not None]
        case nodes.Comprehension():
            return [node.macro, node.variable, node.predicate is not None]
        case nodes.Render():
            return ["render", node.whole]
        case _:
            return [type(node).__name__.lower()]
