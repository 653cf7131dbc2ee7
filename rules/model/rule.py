"""A rule: which events, under which key, on what condition, when, how often, and what then."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from rules.model.action import Action
from rules.model.function import Function
from rules.model.sequence import Sequence
from rules.model.source import ByType, Expression, Span
from rules.model.table import Table
from rules.model.window import Window

NEVER: Final = 2**62
"""`once_within` of `once: true`: no firing is that far from another, in microseconds."""


@dataclass(frozen=True, slots=True)
class Unless:
    """What cancels a deadline: `when` sees the cancelling `event` and the opening one as `start`."""

    on: tuple[str, ...]
    when: Expression | None
    on_spans: tuple[Span, ...] = ()


@dataclass(frozen=True, slots=True)
class Deadline:
    after: int
    """Microseconds."""
    unless: Unless | None
    pending: Literal["each", "first", "latest"]


@dataclass(frozen=True, slots=True)
class Rule:
    name: str
    description: str
    on: tuple[str, ...]
    """Event types and patterns: `a.b`, `payment.*`, `*`. None where a sequence says in its steps what it takes."""
    by: Expression | None
    """None: `event.subject`. Of a map, the expression that it stands for."""
    when: Expression | None
    let: tuple[tuple[str, Expression], ...]
    deadline: Deadline | None
    settle: int | None
    """Microseconds of quiet after which it fires."""
    once_within: int | None
    """Microseconds; `once: true` is NEVER, with `keep` that long."""
    priority: int
    enabled: bool
    shadow: bool
    then: tuple[Action, ...]
    place: int
    """The place in the rule set, from 0: equal priorities fire in this order."""
    span: Span
    on_spans: tuple[Span, ...] = ()
    """Of each type in `on`."""
    by_types: tuple[ByType, ...] = ()
    """The entries of a `by` that is a map, as the checks look at them."""
    sequence: Sequence | None = None
    function: Function | None = None
    """What is called for each event that fits: a Python rule, whose `then` is empty."""
    tables: Mapping[str, Table] = field(default_factory=dict, compare=False, repr=False)
    """What `tables.NAME` is in its expressions: all tables of the rule set."""
    window: Window | None = None
    having: Expression | None = None
    """Calls of aggregates in it, and in the actions of a rule with a window, are nodes of their own (`cel.Call`)."""

    @property
    def seen(self) -> tuple[str, ...]:
        """The types and patterns that `event` can be of in `when`, `let` and actions."""
        return self.on if self.sequence is None else self.sequence.steps[-1].on

    @property
    def listened(self) -> tuple[str, ...]:
        """All types and patterns that mean something to the rule."""
        found = [*self.on]
        if self.deadline is not None and self.deadline.unless is not None:
            found += self.deadline.unless.on
        if self.sequence is not None:
            found += [type for _, each in self.sequence.listeners for type in each.on]
        return tuple(dict.fromkeys(found))
