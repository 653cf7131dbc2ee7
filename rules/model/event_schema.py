"""The declared shape of an event's `data`: what static checks and fast code rely on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from rules.model.source import Expression, Span

FieldKind = Literal["number", "integer", "string", "boolean", "any", "list", "map"]


@dataclass(frozen=True, slots=True)
class Field:
    kind: FieldKind
    optional: bool
    """May be absent or null."""
    fields: dict[str, Field] | None = None
    """Of a map whose insides are declared; others may be there too."""


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


def fields_at(schemas: Iterable[EventSchema], path: Sequence[str]) -> list[dict[str, Field]] | None:
    """What these schemas declare inside the map at this path of the data; None where one of them does not say."""
    found: list[dict[str, Field]] = []
    for schema in schemas:
        fields = schema.fields
        for name in path:
            within = fields[name].fields if name in fields else None
            if within is None:
                return None
            fields = within
        found.append(fields)
    return found


def versioned(type: str, version: int) -> str:
    """How rule files and `dataschema` name a version."""
    return f"{type}/{version}"
