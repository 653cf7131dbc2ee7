"""The declared shape of an event's `data`: what static checks and fast code rely on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from rules.model.source import Expression, Span

FieldKind = Literal["number", "integer", "string", "boolean", "any", "list", "map"]


@dataclass(frozen=True, slots=True)
class Field:
    kind: FieldKind
    optional: bool
    """May be absent or null."""


@dataclass(frozen=True, slots=True)
class Upcast:
    """How data of an older version become those of the version that declares it."""

    version: int
    """Of the data that it takes."""
    fields: tuple[tuple[str, Expression], ...]
    """(field, value), set on top of the older data; a value of null takes the field away."""
    span: Span
    field_spans: tuple[Span, ...] = ()


@dataclass(frozen=True, slots=True)
class EventSchema:
    """One version of an event. Fields that are not named may be there too: producers add fields before rules know
    them."""

    type: str
    fields: dict[str, Field]
    span: Span
    version: int = 1
    numbered: bool = False
    """Whether the file says the number."""
    upcasts: tuple[Upcast, ...] = ()

    @property
    def name(self) -> str:
        return versioned(self.type, self.version) if self.numbered else self.type


def versioned(type: str, version: int) -> str:
    """How rule files and `dataschema` name a version."""
    return f"{type}/{version}"
