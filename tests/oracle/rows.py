"""Rows of projections: folded, deleted, forgotten, and seen by rules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rules import cel
from streams.event import Event
from tests.oracle.document import NEVER, Projection
from tests.oracle.values import evaluated, event_value, moment
from tests.oracle.waiting import Kept

if TYPE_CHECKING:
    from tests.oracle.naive import Oracle

Row = dict[str, Any]


class Rows:
    def __init__(self, oracle: Oracle) -> None:
        self.oracle = oracle
        self.projections = oracle.document.projections
        self.all: dict[tuple[str, str], Row] = {}
        """(projection, key) → row."""
        self.copies: dict[str, dict[str, Row]] = {each.name: {} for each in self.projections if each.everywhere}
        """As this partition has them: projection → key → row."""

    def folding(self, type: str) -> list[Projection]:
        return [each for each in self.projections if type in each.delete or type in each.fold]

    def fold(self, projection: Projection, event: Event, key: str) -> None:
        if event.type in projection.delete:
            self.drop(projection, key)
            return
        variables: dict[str, Any] = {"event": event_value(event), "key": key, "now": moment(event.time)}
        try:
            old = self.all.get((projection.name, key))
            if old is None:
                old = {name: cel.payload(evaluated(text, variables)) for name, text in projection.initial}
            variables["row"] = old
            new = {name: cel.payload(evaluated(text, variables)) for name, text in projection.fold[event.type]}
        except cel.CelEvaluationError:
            self.oracle.refused(f"projection {projection.name}")
            return
        self.all[projection.name, key] = {**old, **new}
        self.copied(projection.name, key, self.all[projection.name, key])
        self.touch(projection, key, max(self.oracle.now_of(key), event.time))

    def touch(self, projection: Projection, key: str, time: int) -> None:
        """Puts off when the row goes."""
        if projection.keep == NEVER:
            return
        for each in self.kept(projection, key):
            time = max(time, each.touched)
            self.oracle.waiting.remove(each)
        self.oracle.waiting.append(Kept(projection, key, time))

    def kept(self, projection: Projection, key: str) -> list[Kept]:
        waiting = [each for each in self.oracle.waiting if isinstance(each, Kept)]
        return [each for each in waiting if each.projection is projection and each.key == key]

    def drop(self, projection: Projection, key: str) -> None:
        self.all.pop((projection.name, key), None)
        self.copied(projection.name, key, None)
        for each in self.kept(projection, key):
            self.oracle.waiting.remove(each)

    def copied(self, name: str, key: str, row: Row | None) -> None:
        """A row that is everywhere, as it is now; its owner says so to all other partitions."""
        if name not in self.copies or (row is None and key not in self.copies[name]):
            return
        self.take_copy(name, key, row)
        if not self.oracle.shared:
            self.oracle.outputs.append(("copy", name, key, row))

    def take_copy(self, name: str, key: str, row: Row | None) -> None:
        self.copies[name].pop(key, None)
        if row is not None:
            self.copies[name][key] = row

    def seen_by(self, key: str) -> dict[str, Any]:
        """Projection → the row of the key, or all rows of one that is everywhere."""
        own = {each.name: self.all.get((each.name, key), cel.NotEvaluated("no row")) for each in self.projections}
        return {**own, **self.copies}
