"""`tests:`: given events, until a time, expect exactly these commands."""

from __future__ import annotations

from typing import Any, Final

from rules.diagnostics import closest, shown, tidy
from rules.given import completed, event_of
from rules.model.test_case import TestCase
from rules.reading import names
from rules.reading.payload import literal
from rules.reading.reader import Reader
from rules.text.nodes import Mapping, Node, Scalar
from streams import rfc3339
from streams.intake import IntakeError

ATTRIBUTES: Final = ("type", "source", "id", "time", "subject", "data", "partitionkey", "dataschema", "specversion")
EXPECTED: Final = ("command", "to", "at", "args", "rule", "key", "cause", "id", "shadow")


def test_case(reader: Reader, key: Scalar, node: Node) -> TestCase | None:
    before = reader.findings.errors
    name = names.title(reader, key, "a test")
    what = f"test {shown(key.value)}"
    fields = reader.fields(node, what, ("description", "given", "until", "expect"))
    if fields is None:
        return None
    if "description" in fields:
        reader.text(fields["description"], "`description`")
    for needed in ("given", "expect"):
        if needed not in fields:
            hint = "`expect: []` says that nothing happens" if needed == "expect" else None
            reader.error(key, "missing", f"{what} has no `{needed}`", hint)
    given: list[dict[str, Any]] = []
    for place, item in enumerate(reader.items(fields["given"], "`given`") or [] if "given" in fields else [], 1):
        event = _given(reader, item, place)
        if event is not None:
            given.append(event)
    until = reader.time(fields["until"], "`until`") if "until" in fields else None
    items = reader.items(fields["expect"], "`expect`") if "expect" in fields else []
    expect = [_expected(reader, item) for item in items or []]
    if name is None or reader.findings.errors != before:
        return None
    wanted = tuple(each for each in expect if each is not None)
    return TestCase(name, tuple(given), until, wanted, reader.span(key))


def _given(reader: Reader, node: Node, place: int) -> dict[str, Any] | None:
    if reader.entries(node, "a given event") is None:
        return None
    assert isinstance(node, Mapping)
    before = reader.findings.errors
    event: dict[str, Any] = {}
    for name, (key, value) in node.entries.items():
        meant = closest(name, ATTRIBUTES) if name not in ATTRIBUTES else None
        if meant is not None and meant not in node.entries:
            message = f"{shown(name)} is taken for an extension attribute"
            reader.warn(key, "unknown-key", message, f"did you mean {shown(meant)}?")
        if name == "data":
            event[name] = literal(reader, value, "`data`")
        elif name in ATTRIBUTES and isinstance(value, Scalar):
            event[name] = value.value  # attributes are texts, whatever YAML would make of them
        else:
            event[name] = literal(reader, value, shown(name))
    if reader.findings.errors != before:
        return None
    event = completed(event, place)
    try:
        event_of(event)
    except IntakeError as error:
        entry = node.entries.get(error.field)
        what = f"`{error.field}` " if error.field else "the event "
        reader.error(node if entry is None else entry[1], "bad-event", tidy(what + error.message), tidy(error.remedy))
        return None
    return event


def _expected(reader: Reader, node: Node) -> dict[str, Any] | None:
    fields = reader.fields(node, "an expected command", EXPECTED)
    if fields is None:
        return None
    expected: dict[str, Any] = {}
    for name, value in fields.items():
        if name == "at":
            at = reader.time(value, "`at`")
            expected[name] = None if at is None else rfc3339.format(at)
        elif name == "shadow":
            expected[name] = reader.boolean(value, "`shadow`")
        elif name == "args":
            if reader.entries(value, "`args`") is not None:
                expected[name] = literal(reader, value, "`args`")
        else:
            expected[name] = value.value if isinstance(value, Scalar) else reader.text(value, shown(name))
    if isinstance(node, Mapping) and not node.entries:
        reader.error(node, "missing", "an expected command names no field", "such as `{command: NAME}`")
    return expected
