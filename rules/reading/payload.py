"""Positions that hold a payload: literals, in which strings may hold `${ CEL }`."""

from __future__ import annotations

from typing import Any

from rules import cel
from rules.diagnostics import shown
from rules.model.source import Payload, Span, TemplateText
from rules.pointing import locate_in, point
from rules.reading.reader import Reader
from rules.text.nodes import Mapping, Node, Scalar, Sequence
from rules.text.scalars import NoValue, has_leading_zero, resolve


def payload(reader: Reader, node: Node, what: str) -> Payload:
    """None is a value; after an error it stands for none."""
    made: Payload = _value(reader, node, what, templates=True)
    return made


def literal(reader: Reader, node: Node, what: str) -> Any:
    """A payload in which `${` is just text, as in tests."""
    return _value(reader, node, what, templates=False)


def fields(reader: Reader, node: Node, what: str) -> dict[str, Payload]:
    """A payload that is a map, such as `args`."""
    entries = reader.entries(node, what)
    if entries is None:
        return {}
    made = payload(reader, node, what)
    assert isinstance(made, dict)
    return made


def _value(reader: Reader, node: Node, what: str, *, templates: bool) -> Any:
    if isinstance(node, Sequence):
        return [_value(reader, item, what, templates=templates) for item in node.items]
    if isinstance(node, Mapping):
        made: dict[str, Any] = {}
        for name, (key, entry) in node.entries.items():
            if templates and "${" in name:
                reader.error(key, "bad-name", f"a key of {what} holds no `${{…}}`: only values are evaluated")
            made[name] = _value(reader, entry, what, templates=templates)
        return made
    try:
        value = resolve(node)
    except NoValue as error:
        reader.error(node, "wrong-kind", f"{what}: {error}", "as text it must be quoted")
        return None
    if isinstance(value, int) and has_leading_zero(node):
        reader.warn(node, "leading-zero", f"{shown(node.value)} is the number {value}", "as text it must be quoted")
    return _text(reader, node, value) if templates and isinstance(value, str) and "${" in value else value


def _text(reader: Reader, node: Scalar, text: str) -> Payload:
    span, written = reader.span(node), reader.written(node)
    if node.style in ("single", "double"):
        span = Span(span.file, span.line, span.column + 1)
    elif node.style != "plain":
        span = locate_in(written, span, text, 0)
    try:
        template = cel.template(text, reader.functions)
    except cel.CelSyntaxError as error:
        reader.findings.add(point(error, written, span, text, reader.line_of, "expression"))
        return None
    if template.constant:
        return "".join(part for part in template.parts if isinstance(part, str))
    return TemplateText(template, span, written)
