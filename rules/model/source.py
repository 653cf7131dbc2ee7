"""Text and where it stands: what diagnostics point at."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from rules import cel


@dataclass(frozen=True, slots=True)
class Span:
    """A place in a rule file. Lines and columns count from 1, as editors do."""

    file: str
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Written:
    """A text as it stands in its file, from which any of its characters can be found again (`rules.text.places`)."""

    raw: str
    """With its quotes, escapes and line ends."""
    style: Literal["plain", "single", "double", "literal", "folded"]
    span: Span
    """Of the first character of `raw`."""


@dataclass(frozen=True, slots=True)
class Expression:
    """CEL text and what it parsed to. `text` is the CEL; a YAML number or boolean is written as CEL.

    Two are equal that say the same at the same place."""

    text: str
    node: cel.Node = field(compare=False)
    span: Span
    """Of the first character of `text`."""
    written: Written | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class ByType:
    """One entry of a `by` that is a map."""

    type: str
    """Or a pattern."""
    key: Expression
    listened: tuple[str, ...]
    """The types and patterns that it is about."""


@dataclass(frozen=True, slots=True)
class TemplateText:
    """A payload string with at least one `${…}` in it."""

    template: cel.Template = field(compare=False)
    span: Span
    written: Written | None = field(default=None, repr=False)


Payload = TemplateText | str | int | float | bool | None | list[Any] | dict[str, Any]
"""A literal, in which any string may be a TemplateText; lists and dicts hold Payloads."""
