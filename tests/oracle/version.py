"""What `events:` says: whether data fit their shape, and how older versions are brought up (RULES.md §11)."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from rules import cel
from streams.event import Event
from tests.oracle.document import Document, said
from tests.oracle.values import evaluated, event_value


def number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


KINDS = {
    "number": number,
    "integer": lambda value: number(value) and value % 1 == 0,
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "list": lambda value: isinstance(value, list),
    "map": lambda value: isinstance(value, dict),
    "any": lambda value: True,
}


def versions(document: Document, type: str) -> dict[int, dict[str, Any]]:
    """Version → what is declared of it; without a number it is the first."""
    found: dict[int, dict[str, Any]] = {}
    for name, fields in document.schemas.items():
        base, _, number = name.partition("/")
        if base == type:
            found[int(number or 1)] = fields or {}
    return found


def misfit(document: Document, event: Event) -> bool:
    """Whether there is a declared shape, and the data do not have it."""
    declared = versions(document, event.type)
    if not declared:
        return False
    newest = declared[max(declared)]
    return not fits({name: kind for name, kind in newest.items() if "/" not in name}, json.loads(bytes(event.data)))


def fits(fields: dict[str, Any], data: Any) -> bool:
    if not isinstance(data, dict):
        return False
    for name, kind in fields.items():
        if isinstance(kind, dict):
            if not fits(kind, data.get(name)):
                return False
            continue
        optional = kind.endswith("?")
        if name not in data or (optional and data[name] is None):
            if not optional:
                return False
        elif not KINDS[kind.rstrip("?")](data[name]):
            return False
    return True


def version_of(event: Event) -> int:
    schema = str((event.extensions or {}).get("dataschema", ""))
    _, _, number = schema.rpartition("/")
    return int(number) if number.isdigit() else 1


def brought_up(document: Document, event: Event) -> Event:
    """The event as its newest version says it. Raises CelEvaluationError."""
    declared = versions(document, event.type)
    at = version_of(event)
    for version in sorted(declared):
        fields = declared[version].get(f"from/{at}")
        if version <= at or fields is None:
            continue
        variables = {"event": event_value(event)}
        data = json.loads(bytes(event.data))
        new = {name: cel.payload(evaluated(said(text), variables)) for name, text in fields.items()}
        raw = msgspec.Raw(json.dumps({**data, **new}, ensure_ascii=False, separators=(",", ":")).encode())
        event, at = msgspec.structs.replace(event, data=raw), version
    return event
