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


def numbered(document: Document, type: str) -> bool:
    """Whether the type has versions."""
    return any(name.startswith(f"{type}/") for name in document.schemas)


def misfit(document: Document, event: Event) -> bool:
    """Whether there is a declared shape, and the data do not have it, or are of another version and stayed so."""
    declared = versions(document, event.type)
    if not declared:
        return False
    if numbered(document, event.type) and version_of(event) != max(declared):
        return True
    newest = declared[max(declared)]
    return not fits({name: kind for name, kind in newest.items() if "/" not in name}, json.loads(bytes(event.data)))


def fits(fields: dict[str, Any], data: Any) -> bool:
    if not isinstance(data, dict):
        return False
    for name, kind in fields.items():
        if isinstance(kind, dict):
            within = data.get(name.removesuffix("?"))
            if not (within is None and name.endswith("?")) and not fits(kind, within):
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
    said = str((event.extensions or {}).get("dataschema", ""))
    last = said.rpartition("/")[2]
    if said.startswith("urn:"):
        last = last.rpartition(":")[2]
    digits = last.removeprefix("v")
    return int(digits) if digits.isdigit() and not digits.startswith("0") else 1


def labelled(document: Document, event: Event) -> Event:
    """What rules make themselves is of the newest version, and says so."""
    if not numbered(document, event.type):
        return event
    name = f"{event.type}/{max(versions(document, event.type))}"
    return msgspec.structs.replace(event, extensions={**(event.extensions or {}), "dataschema": name})


def brought_up(document: Document, event: Event) -> Event:
    """The event as its newest version says it; as it came where an expression has no value."""
    if not numbered(document, event.type):
        return event
    declared = versions(document, event.type)
    at = version_of(event)
    if at >= max(declared):
        return event
    data, now = json.loads(bytes(event.data)), event
    data = {} if data is None else data
    try:
        while at < max(declared):
            (to,) = [version for version in declared if f"from/{at}" in declared[version]]
            if not isinstance(data, dict):
                return event
            variables = {"event": event_value(now)}
            new = {
                name: cel.payload(evaluated(said(text), variables)) for name, text in declared[to][f"from/{at}"].items()
            }
            data = {name: value for name, value in {**data, **new}.items() if name not in new or value is not None}
            raw = msgspec.Raw(json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode())
            now, at = msgspec.structs.replace(now, data=raw), to
    except cel.CelEvaluationError:
        return event
    return labelled(document, now)
