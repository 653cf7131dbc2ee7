"""Diagnostics of checks, at places that the records of `rules.model` know."""

from __future__ import annotations

from rules.diagnostics import Diagnostic, Severity
from rules.model.source import Span
from rules.pointing import Line

__all__ = ["Line", "at"]


def at(
    span: Span, length: int, line_of: Line, severity: Severity, code: str, message: str, hint: str | None = None
) -> Diagnostic:
    line = line_of(span.file, span.line)
    end = min(span.column + max(1, length), max(len(line), span.column) + 1)
    return Diagnostic(severity, code, message, span.file, span.line, span.column, end, hint, line)
