"""Rows that are looked up under another key than the one they are folded under.

A rule reads, in every projection, the row whose key equals the rule's own key. Where both hear the same event and make
different keys of it, the rule does not read the row that this event has just changed; that is hardly ever meant. Where
they hear different events their `by` often must differ, so nothing is said, unless the rule has no `by` at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from rules import cel
from rules.cel.nodes import Call, Index, Name, Node, Select
from rules.checks.context import Context
from rules.diagnostics import Diagnostic, Severity, shown
from rules.logic import Key, term
from rules.model.projection import Projection
from rules.model.rule import Rule
from rules.node_id import SUBJECT
from rules.pointing import locate
from rules.reading.event_types import overlap

_SUBJECT: Final = term(SUBJECT, {})


def check(context: Context) -> Iterator[Diagnostic]:
    seen: set[tuple[str, str]] = set()
    projections = context.ruleset.projections
    for position in context.positions:
        rule = position.owner
        if not isinstance(rule, Rule) or position.role == "by" or position.error is not None:
            continue
        for name in sorted(cel.names(position.node) & projections.keys()):
            if (rule.name, name) in seen or (projection := projections[name]).everywhere or not projection.fold:
                continue
            seen.add((rule.name, name))
            read = _read(position.node, name)
            found = _differ(rule, projection)
            if read is not None and found is not None:
                severity, message = found
                hint = f"{shown(name)} is the row whose key is the rule's own: give both the same `by`"
                span = locate(position.text, read.start)
                yield context.at(span, len(name), severity, "other-key", message, hint)


def _read(node: Node, name: str) -> Node | None:
    """Where a row's field is read."""
    return next(
        (
            each.operand
            for each in cel.walk(node)
            if isinstance(each, (Select, Index)) and isinstance(each.operand, Name) and each.operand.name == name
        ),
        None,
    )


def _differ(rule: Rule, projection: Projection) -> tuple[Severity, str] | None:
    named = f"projection {shown(projection.name)}"
    for type, _ in projection.fold:
        if any(overlap(heard, type) for heard in rule.listened):
            ours, theirs = _key_of(rule, type), _key_of(projection, type)
            if _term(ours) != _term(theirs):
                message = f"{named} folds {shown(type)} under another key than rule {shown(rule.name)} hears it under"
                return "warning", message
    if rule.by is None and projection.by is not None and not projection.by_types:
        if _term(projection.by.node) == _SUBJECT or not _of_subject(rule.listened):
            return None
        said = shown(projection.by.text)
        return "note", f"{named} has the key {said}, and rule {shown(rule.name)} the subject of its events"
    return None


def _of_subject(types: Iterable[str]) -> bool:
    """Whether the subject is what producers say. That of a result is the key of the firing."""
    return not any(type.startswith("orchestrator.") for type in types)


def _key_of(owner: Rule | Projection, type: str) -> Node:
    """The expression that gives the key of an event of this type."""
    for entry in owner.by_types:  # the most specific first
        if overlap(entry.type, type):
            return entry.key.node
    return SUBJECT if owner.by is None or owner.by_types else owner.by.node


def _term(node: Node) -> Key:
    """Keys are text, so `string(x)` is the key that `x` is."""
    while isinstance(node, Call) and node.target is None and node.function == "string":
        (node,) = node.arguments
    return term(node, {})
