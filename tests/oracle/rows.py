"""Rows of projections: folded, deleted, forgotten, and seen by rules."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rules import cel
from streams.event import Event
from tests.oracle.document import Document, Projection
from tests.oracle.values import evaluated, event_value, moment


@dataclass
class Row:
    values: dict[str, Any]
    touched: int
    """When it was last folded, on its key's clock."""


class Rows:
    def __init__(self, document: Document, now_of: Callable[[str], int], refused: Callable[[str], None]) -> None:
        self.document = document
        self.now_of = now_of
        self.refused = refused
        self.all: dict[tuple[str, str], Row] = {}

    def folding(self, type: str) -> list[Projection]:
        return [each for each in self.document.projections if type in each.delete or type in each.fold]

    def row(self, projection: Projection, key: str) -> dict[str, Any] | None:
        row = self.all.get((projection.name, key))
        if row is None or self.now_of(key) > row.touched + projection.keep:
            return None
        return row.values

    def fold(self, projection: Projection, event: Event, key: str) -> None:
        place = projection.name, key
        if event.type in projection.fold:
            variables: dict[str, Any] = {"event": event_value(event), "key": key, "now": moment(event.time)}
            try:
                old = self.row(projection, key)
                if old is None:
                    old = {name: cel.payload(evaluated(text, variables)) for name, text in projection.initial}
                variables["row"] = old
                new = {name: cel.payload(evaluated(text, variables)) for name, text in projection.fold[event.type]}
                self.all[place] = Row({**old, **new}, max(self.now_of(key), event.time))
            except cel.CelEvaluationError:
                self.refused(f"projection {projection.name}")
        if event.type in projection.delete:
            self.all.pop(place, None)

    def seen_by(self, key: str) -> dict[str, Any]:
        """Projection → the row of the key, or all rows of one that is everywhere."""
        seen: dict[str, Any] = {}
        for projection in self.document.projections:
            if projection.everywhere:
                rows = {other: self.row(projection, other) for name, other in self.all if name == projection.name}
                seen[projection.name] = {other: row for other, row in rows.items() if row is not None}
            else:
                row = self.row(projection, key)
                seen[projection.name] = cel.NotEvaluated("no row") if row is None else row
        return seen

    def shown(self) -> dict[tuple[str, str], dict[str, Any]]:
        """(projection, key) → row."""
        named = {each.name: each for each in self.document.projections}
        rows = {(name, key): self.row(named[name], key) for name, key in self.all}
        return {place: row for place, row in rows.items() if row is not None}
