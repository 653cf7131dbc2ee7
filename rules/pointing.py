"""From an offset in an expression to a diagnostic at the place in the file.

Readers and checks call `point` with what `rules.cel` complained of. Exact also in quoted and folded scalars; where
source and value cannot be matched, it points at the beginning of the expression.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from rules import cel
from rules.diagnostics import Diagnostic, Severity, shown, tidy
from rules.model.source import Expression, Span, TemplateText, Written
from rules.model.window import AGGREGATES
from rules.text import places

Line = Callable[[str, int], str]
"""(file, line) → the text of that line."""

_UNKNOWN_FUNCTION: Final = re.compile(r"unknown function `(\w+)`|`(\w+)` is not in the profile")
_WORDS: Final = re.compile(r"[^\W\d][\w .-]*")


def locate(text: Expression | TemplateText, offset: int) -> Span:
    """Where a character of an expression or payload string stands."""
    return locate_in(text.written, text.span, value_of(text), offset)


def value_of(text: Expression | TemplateText) -> str:
    return text.text if isinstance(text, Expression) else text.template.text


def locate_in(written: Written | None, span: Span, value: str, offset: int) -> Span:
    """As `locate`, for a text that could not be made an expression."""
    if written is None:
        return span
    found = places.indexes(written.raw, written.style, value)
    if found is None or not 0 <= offset < len(found):
        return span
    begin = written.span
    line, column = places.place(written.raw, begin.line, begin.column, found[offset])
    return Span(span.file, line, column)


def point(
    error: cel.CelSyntaxError,
    written: Written | None,
    span: Span,
    value: str,
    line_of: Line,
    code: str,
    severity: Severity = "error",
) -> Diagnostic:
    """`value` is the text that the error's offsets count in."""
    start = locate_in(written, span, value, error.offset)
    end = start
    if error.end > error.offset:
        # the last character, not the one behind it: that may stand on the next line
        end = locate_in(written, span, value, error.end - 1)
    line = line_of(start.file, start.line)
    length = end.column - start.column + 1 if end.line == start.line else len(line) - start.column + 1
    hint = yaml_hint(error, written, value, line) or _of_windows(error) or (tidy(error.hint) if error.hint else None)
    column, last = start.column, start.column + max(1, length)
    return Diagnostic(severity, code, tidy(error.message), start.file, start.line, column, last, hint, line)


def _of_windows(error: cel.CelSyntaxError) -> str | None:
    called = _UNKNOWN_FUNCTION.fullmatch(error.message)
    name = None if called is None else called[1] or called[2]
    if name not in AGGREGATES:
        return None
    return f"{shown(name)} is asked of a window: in `having` and `then` of a rule with `over`"


def yaml_hint(error: cel.CelSyntaxError, written: Written | None, value: str, line: str) -> str | None:
    """Where not CEL but YAML is the trap: it took a string's quotes away, or cut off what looked like a comment."""
    if written is None:
        return None
    if written.style in ("single", "double"):
        if _WORDS.fullmatch(value) and value not in ("true", "false", "null"):
            quoted = f"\"'{value}'\""
            return f"YAML took these quotes away: if a string is meant, write {shown(quoted, 110)}"
        return None
    behind = line[written.span.column - 1 + len(written.raw) :]
    open_ended = "not closed" in error.message or "ends too early" in error.message
    if written.style == "plain" and open_ended and behind.lstrip()[:1] == "#":
        return "for YAML ` #` begins a comment: quote the whole text"
    return None
