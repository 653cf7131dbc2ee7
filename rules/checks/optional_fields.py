"""Optional fields that are read without asking whether they are there: a note, because that may be meant."""

from __future__ import annotations

from collections.abc import Iterator

from rules import cel
from rules.cel.nodes import Has
from rules.checks.context import Context
from rules.diagnostics import Diagnostic, shown
from rules.model.projection import Projection
from rules.model.rule import Rule
from rules.pointing import locate


def check(context: Context) -> Iterator[Diagnostic]:
    versions = context.ruleset.versions.values()
    declared = [*context.ruleset.schemas.values(), *(schema for several in versions for schema in several)]
    if not any(field.optional for schema in declared for field in schema.fields.values()):
        return
    for position in context.positions:
        schemas = context.environments.declared(position.events)
        if position.error is not None or not schemas:
            continue
        optional = {name for schema in schemas for name, field in schema.fields.items() if field.optional}
        if not optional:
            continue
        asked = set(_asked(position.node))
        for node in cel.walk(position.node):
            path = cel.path(node)
            if path is None or len(path) != 3 or path[:2] != ("event", "data") or path in asked:
                continue
            if path[2] in optional:
                asked.add(path)
                what = "the rule is not evaluated"
                if isinstance(position.owner, Projection):
                    what = "the projection does not fold"
                elif position.role == "upcast":
                    what = "the event cannot be brought up"
                elif not isinstance(position.owner, Rule):
                    what = "rows that look at it are in error"
                message = f"{shown(path[2])} may be absent, and then {what}"
                hint = f"{shown(f'has(event.data.{path[2]})')} asks whether it is there"
                span = locate(position.text, node.end - len(path[2]))
                yield context.at(span, len(path[2]), "note", "optional-field", message, hint)


def _asked(node: cel.Node) -> Iterator[cel.Path]:
    for each in cel.walk(node):
        if isinstance(each, Has):
            operand = cel.path(each.operand)
            if operand is not None:
                yield (*operand, each.field)
