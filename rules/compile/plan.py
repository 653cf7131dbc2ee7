"""What to do with an event of some type: the routes it takes, and the generated functions for it.

Made at the first event of a type and kept; functions are generated when they are first needed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import msgspec

from rules.compile.event_types import MAX_TYPES
from rules.compile.fold import Fold
from rules.compile.fused import Fused, mixed
from rules.compile.keys import Keys
from rules.compile.listen import Hearing, Listeners
from rules.compile.rows import Rows
from rules.compile.rule import CompiledRule
from streams.event import Event

MAX_CHOICES: Final = 1_000
"""Functions kept for one hearing: one for each choice of routes that lead to an event's own key."""


@dataclass(frozen=True, slots=True, eq=False)
class Route:
    id: str
    key: Callable[[Event], str]
    """Raises CelEvaluationError where the event has no key of this kind."""
    listeners: tuple[str, ...]
    """Names, as they are counted: those of projections after `projection `."""


class Plan:
    def __init__(self, hearing: Hearing, keys: Keys, projections: dict[str, Rows], lateness: int) -> None:
        self.hearing = hearing
        self._upcaster = hearing.upcaster
        self._projections = projections
        self._lateness = lateness
        self._choices: dict[tuple[str, ...], Callable[..., None]] = {}
        self.routes = [Route(id, keys.of(id), _names(hearing.along([id]))) for id in hearing.routes]
        """In the order of the listeners: projections, then rules."""
        self._own = all(route.id == keys.subject for route in self.routes)
        self.run = Fused(hearing, projections, lateness).run(self._own)

    @cached_property
    def inside(self) -> Callable[..., None]:
        """What `run` does for one event."""
        return Fused(self.hearing, self._projections, self._lateness).inside(self._own)

    def one(self, routes: tuple[str, ...]) -> Callable[..., None]:
        """`(evaluation, event, key, cell)` for the listeners of these routes."""
        made = self._choices.get(routes)
        if made is None:
            if len(self._choices) >= MAX_CHOICES:
                self._choices.clear()
            made = self._choices[routes] = Fused(self.hearing.along(routes), self._projections, self._lateness).one()
        return made

    def current(self, event: Event) -> Event:
        """The event as the newest version of its type has it; itself where it cannot be brought up. Raises
        msgspec.DecodeError for no JSON."""
        return event if self._upcaster is None else self._upcaster.brought_up(event)

    def misfit(self, event: Event) -> str | None:
        """Why an event that went through `current` is not as its type is declared, in words, None where it is. Raises
        msgspec.DecodeError for no JSON."""
        why = None if self._upcaster is None else self._upcaster.misfit(event)
        if why is not None or self.hearing.shape is None:
            return why
        try:
            self.hearing.shape.decode(event.data)
        except msgspec.ValidationError as error:
            return str(error)
        return None


class Plans(dict[str, Plan]):
    """Type → plan. Types come from outside, so the map is bounded; plans are as many as there are hearings."""

    def __init__(self, listeners: Listeners, keys: Keys, projections: dict[str, Rows], lateness: int) -> None:
        super().__init__()
        self._listeners = listeners
        self._keys = keys
        self._projections = projections
        self._lateness = lateness
        self._plans: dict[Hearing, Plan] = {}
        self.mixed = mixed(_Insides(self), lateness)
        """As `Plan.run`, for events whose types alternate."""

    def hearing(self, type: str) -> Hearing:
        """Who listens to a type, without making a plan."""
        return self._listeners.of(type)

    def __missing__(self, type: str) -> Plan:
        hearing = self._listeners.of(type)
        plan = self._plans.get(hearing)
        if plan is None:
            plan = self._plans[hearing] = Plan(hearing, self._keys, self._projections, self._lateness)
        if len(self) >= MAX_TYPES:
            self.clear()
        self[type] = plan
        return plan


class _Insides(dict[str, Callable[..., None]]):
    """Type → `Plan.inside`; bounded as the plans are."""

    def __init__(self, plans: Plans) -> None:
        super().__init__()
        self._plans = plans

    def __missing__(self, type: str) -> Callable[..., None]:
        if len(self) >= MAX_TYPES:
            self.clear()
        made = self[type] = self._plans[type].inside
        return made


def _names(hearing: Hearing) -> tuple[str, ...]:
    listeners: Sequence[Fold | CompiledRule] = (*hearing.folds, *hearing.meets, *hearing.cancels)
    named = (
        f"projection {listener.projection}" if isinstance(listener, Fold) else listener.name for listener in listeners
    )
    return tuple(dict.fromkeys(named))
