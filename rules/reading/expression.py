"""Positions that hold an expression: CEL text, or a YAML number or boolean, which is itself."""

from __future__ import annotations

from rules import cel
from rules.diagnostics import shown
from rules.model.source import Expression, Span
from rules.pointing import locate_in, point
from rules.reading.reader import Reader
from rules.text.nodes import Mapping, Node, Scalar, kind
from rules.text.scalars import NoValue, resolve


def expression(reader: Reader, node: Node, what: str) -> Expression | None:
    if not isinstance(node, Scalar):
        sign = reader.source.text[node.start : node.start + 1]
        hint = "it is text, such as `event.data.amount > 10`"
        if sign in ("{", "["):
            hint = f"text that begins with `{sign}` must be quoted{_quoted(reader.source.text[node.start : node.end])}"
        wanted = "a map" if isinstance(node, Mapping) else "a list"
        reader.error(node, "wrong-kind", f"{what} needs an expression, and YAML reads {wanted} here", hint)
        return None
    try:
        value = resolve(node)
    except NoValue as error:
        reader.error(node, "wrong-kind", f"{what}: {error}")
        return None
    if value is None and node.value != "null":
        remedy = "null is written `null`" if node.value == "~" else None
        reader.error(node, "wrong-kind", f"{what} needs an expression, not {kind(node)}", remedy)
        return None
    if isinstance(value, (bool, int, float)):
        return _constant(reader, node, value)
    text = node.value
    written = reader.written(node)
    span = reader.span(node)
    if node.style in ("single", "double"):
        span = Span(span.file, span.line, span.column + 1)
    elif node.style != "plain":
        span = locate_in(written, span, text, 0)
    try:
        return Expression(text, _parsed(reader, text), span, written)
    except cel.CelSyntaxError as error:
        reader.findings.add(point(error, written, span, text, reader.line_of, "expression"))
        return None


def _constant(reader: Reader, node: Scalar, value: bool | int | float) -> Expression:
    """A YAML number or boolean, written as CEL writes it."""
    text = str(value).lower() if isinstance(value, bool) else repr(value)
    return Expression(text, _parsed(reader, text), reader.span(node))


def _parsed(reader: Reader, text: str) -> cel.Node:
    if reader.functions:
        return cel.parse(text, reader.functions)
    parsed = reader.parsed.get(text)
    if parsed is None:
        parsed = reader.parsed[text] = cel.parse(text)
    return parsed


def _quoted(raw: str) -> str:
    """How it looks, if that fits into a hint."""
    return f": {shown(chr(34) + raw + chr(34))}" if len(raw) < 50 and "\n" not in raw and '"' not in raw else ""
