"""`events:`: the declared shape of an event type's `data`."""

from __future__ import annotations

import re
from typing import Final, get_args

from rules.diagnostics import did_you_mean, one_of, shown
from rules.model.event_schema import EventSchema, Field, FieldKind
from rules.reading import event_types
from rules.reading.reader import Reader
from rules.text.nodes import Mapping, Node, Scalar

KINDS: Final[dict[str, FieldKind]] = {kind: kind for kind in get_args(FieldKind)}
_VERSION: Final = re.compile(r".*/[0-9]+", re.DOTALL)
_UPCAST: Final = re.compile(r"from/[0-9]+", re.ASCII)
_UNREADABLE: Final = re.compile(r'["\\\x00-\x1f]')
"""What decoders of declared data cannot have in the name of a field."""
_SAME: Final = {
    "int": "integer",
    "float": "number",
    "double": "number",
    "decimal": "number",
    "str": "string",
    "text": "string",
    "bool": "boolean",
    "array": "list",
    "object": "map",
    "dict": "map",
    "timestamp": "string",
    "datetime": "string",
    "date": "string",
}


def schema(reader: Reader, key: Scalar, node: Node) -> EventSchema | None:
    what = f"the schema of {shown(key.value)}"
    if _VERSION.fullmatch(key.value):
        reader.error(
            key, "not-supported", f"{shown(key.value)} is a version of an event: versions are not supported yet"
        )
        return None
    type = event_types.exact(reader, key, "a schema", results=False)
    if type is None:
        return None
    if isinstance(node, Scalar) and node.style == "plain" and node.value == "":
        return EventSchema(type, {}, reader.span(key))
    entries = reader.entries(node, what)
    if entries is None:
        return None
    fields: dict[str, Field] = {}
    for name, (field_key, value) in entries.items():
        if _UPCAST.fullmatch(name):
            reader.error(field_key, "not-supported", f"{shown(name)} (versions of events) is not supported yet")
            continue
        if _UNREADABLE.search(name):
            message = f"{what} cannot declare {shown(name)}: no quote, backslash or control character may be in a name"
            reader.error(field_key, "bad-name", message, "what is not declared can still be read")
            continue
        found = _field(reader, value, shown(name))
        if found is not None:
            fields[name] = found
    return EventSchema(type, fields, reader.span(key))


def _field(reader: Reader, node: Node, what: str) -> Field | None:
    if isinstance(node, Mapping):
        reader.error(node, "not-supported", f"{what}: shapes within a map are not supported yet", "declare it as `map`")
        return None
    word = reader.text(node, what)
    if word is None:
        return None
    optional = word.endswith("?")
    name = word.removesuffix("?")
    kind = KINDS.get(name)
    if kind is None:
        hint = did_you_mean(_SAME.get(name.lower(), name), KINDS)
        message = f"{what} needs {one_of(list(KINDS))}, with `?` behind it if it may be absent, not {shown(word)}"
        reader.error(node, "wrong-kind", message, hint)
        return None
    return Field(kind, optional)
