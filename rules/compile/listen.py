"""Who listens to an event of some type: folds, and rules that it may cancel, open or fire.

Types come from outside and may be any number, so what is known of them is bounded: types with the same listeners share
one `Hearing`, of which there are no more than rule sets have, and the map from types to hearings forgets.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rules.compile.event_types import fits
from rules.compile.fold import Fold
from rules.compile.rule import CompiledRule
from rules.compile.schema import Shape
from rules.compile.upcast import Upcaster


@dataclass(frozen=True, slots=True, eq=False)
class Hearing:
    folds: tuple[Fold, ...]
    """In the order of the file."""
    cancels: tuple[CompiledRule, ...]
    meets: tuple[CompiledRule, ...]
    """In the order of firing."""
    shape: Shape | None
    upcaster: Upcaster | None
    """Where a version of the type is declared by its number."""

    @property
    def routes(self) -> tuple[str, ...]:
        """The ids of the `by` expressions of all listeners, each once."""
        listeners: tuple[Fold | CompiledRule, ...] = (*self.folds, *self.cancels, *self.meets)
        return tuple(dict.fromkeys(listener.route for listener in listeners))

    def along(self, routes: Sequence[str]) -> Hearing:
        """Only the listeners whose key comes by one of these routes."""
        return Hearing(
            tuple(fold for fold in self.folds if fold.route in routes),
            tuple(rule for rule in self.cancels if rule.route in routes),
            tuple(rule for rule in self.meets if rule.route in routes),
            self.shape,
            self.upcaster,
        )


class Listeners:
    def __init__(
        self,
        folds: dict[str, list[Fold]],
        rules: Sequence[CompiledRule],
        shapes: dict[str, Shape],
        upcasters: dict[str, Upcaster],
    ) -> None:
        self._folds = folds
        self._rules = rules
        self._shapes = shapes
        self._upcasters = upcasters
        self._hearings: dict[tuple[object, ...], Hearing] = {}

    def of(self, type: str) -> Hearing:
        """Costs a look at every rule; callers remember the answer."""
        folds = tuple(self._folds.get(type, ()))
        cancels = tuple(rule for rule in self._rules if any(fits(pattern, type) for pattern in rule.cancels))
        meets = tuple(rule for rule in self._rules if any(fits(pattern, type) for pattern in rule.on))
        shape = self._shapes.get(type)
        upcaster = self._upcasters.get(type)
        known = (tuple(map(id, folds)), tuple(map(id, cancels)), tuple(map(id, meets)), id(shape), id(upcaster))
        return self._hearings.setdefault(known, Hearing(folds, cancels, meets, shape, upcaster))
