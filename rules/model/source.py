"""Text and where it stands: what diagnostics point at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rules import cel


@dataclass(frozen=True, slots=True)
class Span:
    """A place in a rule file. Lines and columns count from 1, as editors do."""

    file: str
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Expression:
    """CEL text and what it parsed to. `text` is the CEL; a YAML number or boolean is written as CEL."""

    text: str
    node: cel.Node
    span: Span
    """Of the first character of `text`."""


@dataclass(frozen=True, slots=True)
class TemplateText:
    """A payload string with at least one `${…}` in it."""

    template: cel.Template
    span: Span


Payload = TemplateText | str | int | float | bool | None | list[Any] | dict[str, Any]
"""A literal, in which any string may be a TemplateText; lists and dicts hold Payloads."""
