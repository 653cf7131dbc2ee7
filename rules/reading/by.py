"""`by`: the grouping key, as one expression or as a map from event type to expression.

A map is read as the one expression that it stands for, `event.type == 'a' ? … : …`, so nothing behind the reader knows
of maps, and the order of its entries is no part of what it means: an exact type goes before a pattern, a longer pattern
before a shorter one. What the map does not name goes by `event.subject`. The checks look at its entries one by one.
"""

from __future__ import annotations

from collections.abc import Iterable

from rules import cel
from rules.cel.nodes import Binary, Call, Conditional, Literal, Name, Node, Select, Unary
from rules.diagnostics import did_you_mean, shown
from rules.model.source import ByType, Expression
from rules.reading import event_types
from rules.reading.expression import expression
from rules.reading.reader import Reader
from rules.text.nodes import Mapping
from rules.text.nodes import Node as YamlNode
from streams.event import RESERVED

_SUBJECT = cel.parse("event.subject")


def by(reader: Reader, node: YamlNode, listened: Iterable[str]) -> tuple[Expression | None, tuple[ByType, ...]]:
    """The key, and the entries of a map. `listened` are the types and patterns that its owner listens to."""
    if not isinstance(node, Mapping):
        return expression(reader, node, "`by`"), ()
    before = reader.findings.errors
    heard = tuple(listened)
    entries: list[ByType] = []
    for key, value in node.entries.values():
        found = event_types.patterns(reader, key, "`by`")
        said = expression(reader, value, f"`by` of {shown(key.value)}")
        if found is None or said is None:
            continue
        (type,), _ = found
        types = tuple(each for each in heard if event_types.overlap(type, each))
        if heard and not types:
            hint = did_you_mean(type, heard) or "types that are not named go by `event.subject`"
            reader.error(key, "unheard", f"`by` names {shown(type)}, which is not listened to", hint)
        entries.append(ByType(type, said, tuple(each if "*" not in each else type for each in types)))
    if not node.entries:
        reader.error(node, "missing", "`by` names no event type")
    if reader.findings.errors != before:
        return None, ()
    entries.sort(key=_specific)
    key_of: Node = _SUBJECT
    for entry in reversed(entries):
        key_of = Conditional(0, 0, _is(entry.type), entry.key.node, key_of)
    text = "{" + ", ".join(f"{entry.type}: {entry.key.text}" for entry in entries) + "}"
    return Expression(text, key_of, reader.span(node)), tuple(entries)


def _specific(entry: ByType) -> tuple[bool, int, str]:
    return "*" in entry.type, -len(entry.type), entry.type


def _is(type: str) -> Node:
    """The condition that an event is of a type, or fits a pattern."""
    read = Select(0, 0, Name(0, 0, "event"), "type", 0)
    if "*" not in type:
        return Binary(0, 0, "==", read, Literal(0, 0, type), 0)
    if type == "*":
        return Unary(0, 0, "!", Call(0, 0, "startsWith", read, (Literal(0, 0, RESERVED),), 0))
    return Call(0, 0, "startsWith", read, (Literal(0, 0, type[:-1]),), 0)
