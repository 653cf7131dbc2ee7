"""`events:`: the declared shape of an event type's `data`, in one or several versions (`TYPE/2`), and how data of older
versions are brought up (`from/1`)."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final, get_args

from rules.diagnostics import did_you_mean, one_of, shown
from rules.model.event_schema import EventSchema, Field, FieldKind, Upcast, versioned
from rules.model.source import Expression, Span
from rules.reading import event_types
from rules.reading.expression import expression
from rules.reading.reader import Reader
from rules.text.nodes import Mapping, Node, Scalar, Sequence

KINDS: Final[dict[str, FieldKind]] = {kind: kind for kind in get_args(FieldKind)}
Entries = dict[str, tuple[Scalar, Node]]

LATEST: Final = 999
"""The greatest version."""
_VERSION: Final = re.compile(r"(.+)/([0-9]+)", re.ASCII | re.DOTALL)
_UPCAST: Final = re.compile(r"from/(.*)", re.DOTALL)
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
    named = _VERSION.fullmatch(key.value)
    version = 1
    if named is not None:
        found_version = _number(reader, key, named[2])
        if found_version is None:
            return None
        version = found_version
    type = event_types.exact(reader, replace(key, value=named[1]) if named else key, "a schema", results=False)
    if type is None:
        return None
    if isinstance(node, Scalar) and node.style == "plain" and node.value == "":
        return EventSchema(type, {}, reader.span(key), version, named is not None)
    entries = reader.entries(node, what)
    if entries is None:
        return None
    declared: Entries = {}
    upcasts: list[Upcast] = []
    for name, (field_key, value) in entries.items():
        from_version = _UPCAST.fullmatch(name)
        if from_version is None:
            declared[name] = (field_key, value)
            continue
        upcast = _upcast(reader, field_key, value, from_version[1], type, version)
        if upcast is not None:
            upcasts.append(upcast)
    fields = _fields(reader, declared, what)
    return EventSchema(type, fields, reader.span(key), version, named is not None, tuple(upcasts))


def _number(reader: Reader, key: Scalar, digits: str) -> int | None:
    number = int(digits[:9])
    if str(number) != digits or not 1 <= number <= LATEST:
        hint = f"versions count from 1 to {LATEST}, as in {shown(versioned('order.placed', 2))}"
        reader.error(key, "bad-version", f"{shown(digits)} is no version", hint)
        return None
    return number


def _upcast(reader: Reader, key: Scalar, node: Node, digits: str, type: str, version: int) -> Upcast | None:
    """`from/N: {field: expression}` in the schema of `version`."""
    if not digits.isdecimal() or not digits.isascii():
        hint = 'as in `from/1: {amount: "double(event.data.amount)"}`'
        reader.error(key, "bad-version", f"{shown(key.value)} names no version", hint)
        return None
    older = _number(reader, key, digits)
    if older is None:
        return None
    if older >= version:
        message = f"{shown(key.value)} stands in version {version} of {shown(type)}, which is not newer"
        hint = f"it belongs to the version that it leads to, such as {shown(versioned(type, older + 1))}"
        reader.error(key, "bad-version", message, hint)
        return None
    entries = reader.entries(node, shown(key.value)) or {}
    fields: list[tuple[str, Expression]] = []
    spans: list[Span] = []
    for name, (field_key, value) in entries.items():
        read = expression(reader, value, shown(name))
        if read is not None:
            fields.append((name, read))
            spans.append(reader.span(field_key))
    return Upcast(older, tuple(fields), reader.span(key), tuple(spans))


def _fields(reader: Reader, entries: Entries, what: str) -> dict[str, Field]:
    fields: dict[str, Field] = {}
    for written, (key, value) in entries.items():
        name = written.removesuffix("?")
        if _UNREADABLE.search(name):
            message = f"{what} cannot declare {shown(name)}: no quote, backslash or control character may be in a name"
            reader.error(key, "bad-name", message, "what is not declared can still be read")
            continue
        found = _map(reader, value, shown(name)) if isinstance(value, Mapping) else _field(reader, value, shown(name))
        if name != written and found is not None:
            if found.fields is None:
                hint = f"write {shown(f'{name}: {found.kind}?')}"
                reader.error(key, "bad-name", f"the `?` of {shown(name)} stands behind its kind", hint)
            found = replace(found, optional=True)
        if name in fields:
            reader.error(key, "duplicate-key", f"{shown(name)} stands twice in {what}")
        elif found is not None:
            fields[name] = found
    return fields


def _map(reader: Reader, node: Mapping, what: str) -> Field:
    """A map whose insides are declared."""
    return Field("map", optional=False, fields=_fields(reader, node.entries, what))


def _field(reader: Reader, node: Node, what: str) -> Field | None:
    if isinstance(node, Sequence):
        message = f"{what}: what is in a list cannot be declared"
        reader.error(node, "wrong-kind", message, "declare it as `list`")
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
