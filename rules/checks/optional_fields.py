"""Optional fields that are read without asking whether they are there: a note, because that may be meant."""

from __future__ import annotations

from collections.abc import Iterator

from rules import cel
from rules.cel.nodes import Has
from rules.checks.context import Context
from rules.diagnostics import Diagnostic, shown
from rules.model.event_schema import EventSchema, Field, fields_at
from rules.model.projection import Projection
from rules.model.rule import Rule
from rules.pointing import locate


def check(context: Context) -> Iterator[Diagnostic]:
    versions = context.ruleset.versions.values()
    declared = [*context.ruleset.schemas.values(), *(schema for several in versions for schema in several)]
    if not any(_any_optional(schema.fields) for schema in declared):
        return
    for position in context.positions:
        seen = {
            name: context.environments.declared(types) or []
            for name, types in (("event", position.events), *position.others)
        }
        if position.error is not None or not any(seen.values()):
            continue
        asked = set(_asked(position.node))
        for node in cel.walk(position.node):
            path = cel.path(node)
            if path is None or len(path) < 3 or path[1] != "data" or path in asked:
                continue
            if _optional(seen.get(path[0], []), path[2:]):
                asked.add(path)
                what = "the rule is not evaluated"
                if isinstance(position.owner, Projection):
                    what = "the projection does not fold"
                elif position.role == "upcast":
                    what = "the event cannot be brought up"
                elif not isinstance(position.owner, Rule):
                    what = "rows that look at it are in error"
                message = f"{shown('.'.join(path[2:]))} may be absent, and then {what}"
                asks = shown(f"has({'.'.join(path)})")
                hint = f"{asks} asks whether it is there"
                span = locate(position.text, node.end - len(path[-1]))
                yield context.at(span, len(path[-1]), "note", "optional-field", message, hint)


def _any_optional(fields: dict[str, Field]) -> bool:
    return any(field.optional or _any_optional(field.fields or {}) for field in fields.values())


def _optional(schemas: list[EventSchema], path: cel.Path) -> bool:
    """Whether one of them says that this may be absent in the map around it."""
    found: list[dict[str, Field]] = []
    for schema in schemas:
        found += fields_at([schema], path[:-1]) or ()
    return any(path[-1] in fields and fields[path[-1]].optional for fields in found)


def _asked(node: cel.Node) -> Iterator[cel.Path]:
    """What `has` asks for, and what is there if that is."""
    for each in cel.walk(node):
        if isinstance(each, Has):
            operand = cel.path(each.operand)
            if operand is not None:
                path = (*operand, each.field)
                yield from (path[:end] for end in range(3, len(path) + 1))
