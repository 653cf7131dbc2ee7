"""The declared shape of an event's `data`: what static checks and fast code rely on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from rules.model.source import Span

FieldKind = Literal["number", "integer", "string", "boolean", "any", "list", "map"]


@dataclass(frozen=True, slots=True)
class Field:
    kind: FieldKind
    optional: bool
    """May be absent or null."""


@dataclass(frozen=True, slots=True)
class EventSchema:
    """Fields that are not named may be there too: producers add fields before rules know them."""

    type: str
    fields: dict[str, Field]
    span: Span
