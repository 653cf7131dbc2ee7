"""A projection: one row per key, folded from events."""

from __future__ import annotations

from dataclasses import dataclass

from rules.model.source import ByType, Expression, Span


@dataclass(frozen=True, slots=True)
class Projection:
    name: str
    by: Expression | None
    """None: `event.subject`. Of a map, the expression that it stands for."""
    fold: tuple[tuple[str, tuple[tuple[str, Expression], ...]], ...]
    """(event type, ((field, value), …)), in file order. Types are exact."""
    index: tuple[str, ...]
    initial: tuple[tuple[str, Expression], ...]
    delete: tuple[str, ...]
    """Types, exact, that delete the row."""
    place: int
    """The place in the rule set, from 0."""
    span: Span
    index_spans: tuple[Span, ...] = ()
    by_types: tuple[ByType, ...] = ()
    """The entries of a `by` that is a map, as the checks look at them."""
    keep: int | None = None
    """Microseconds after which a row goes that nothing touches."""
    everywhere: bool = False
    """Rows are copied to all partitions; rules read them as `name[key]`."""
