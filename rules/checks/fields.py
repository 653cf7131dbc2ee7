"""Attributes that events cannot have, and fields that no schema declares.

Events may carry extension attributes and data beyond their schema, so most of this is only probably wrong: it warns.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from rules import cel
from rules.cel.nodes import Name, Select
from rules.checks.context import Context
from rules.checks.position import Position
from rules.diagnostics import Diagnostic, Severity, closest, did_you_mean, shown
from rules.model.event_schema import EventSchema, fields_at
from rules.pointing import locate
from streams.intake import EXTENSION_NAME

ATTRIBUTES: Final = ("id", "source", "type", "subject", "time", "data")
_KNOWN: Final = (*ATTRIBUTES, "partitionkey", "dataschema", "datacontenttype")


def check(context: Context) -> Iterator[Diagnostic]:
    for position in context.positions:
        if position.error is not None:
            continue
        schemas: dict[str, list[EventSchema] | None] = {"event": context.environments.declared(position.events)}
        for name, types in position.others:
            schemas[name] = context.environments.declared(types)
        for node in cel.walk(position.node):
            if not isinstance(node, Select):
                continue
            inner = node.operand
            if isinstance(inner, Name):
                if inner.name in schemas and node.field not in _KNOWN:
                    path = (inner.name, node.field)
                    yield from _attribute(context, position, node, path, schemas[inner.name])
                continue
            read = cel.path(node)
            if read is not None and len(read) > 2 and read[1] == "data":
                declared = schemas.get(read[0])
                if declared is not None:
                    yield from _field(context, position, node, read, declared)


def _attribute(
    context: Context, position: Position, node: cel.Node, path: cel.Path, declared: list[EventSchema] | None
) -> Iterator[Diagnostic]:
    name = path[1]
    in_data = any(name in schema.fields for schema in declared or ())
    meant = f"{path[0]}.data.{name}" if in_data else None
    if meant is None and (close := closest(name, ATTRIBUTES)) is not None:
        meant = f"{path[0]}.{close}"
    hint = f"did you mean {shown(meant)}?" if meant else None
    if not EXTENSION_NAME.fullmatch(name):
        message = f"events have no attribute {shown(name)}"
        hint = hint or f"what producers send is in {shown(f'{path[0]}.data')}"
        yield _at(context, position, node, name, "error", message, hint)
        return
    message = f"{shown(name)} is read as an extension attribute"
    if hint is not None:
        yield _at(context, position, node, name, "warning", message, hint)
    else:
        hint = f"what producers send as data is in {shown(f'{path[0]}.data.{name}')}"
        yield _at(context, position, node, name, "note", message, hint)


def _field(
    context: Context, position: Position, node: cel.Node, path: cel.Path, declared: list[EventSchema]
) -> Iterator[Diagnostic]:
    name, within = path[-1], fields_at(declared, path[2:-1])
    if within is None or any(name in fields for fields in within):
        return
    types = " and of ".join(shown(schema.name) for schema in declared[:3])
    known = [field for fields in within for field in fields]
    message = f"{shown('.'.join(path[2:]))} is not in the schema of {types}"
    yield _at(context, position, node, name, "warning", message, did_you_mean(name, known))


def _at(
    context: Context, position: Position, node: cel.Node, name: str, severity: Severity, message: str, hint: str | None
) -> Diagnostic:
    span = locate(position.text, node.end - len(name))
    return context.at(span, len(name), severity, "unknown-field", message, hint)
