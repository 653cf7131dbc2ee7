"""An expression and where it stands: whose it is, what it may read, what it must be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from rules import cel
from rules.cel.types import Type
from rules.checks.environment import Environment
from rules.model.event_schema import EventSchema
from rules.model.projection import Projection
from rules.model.rule import Rule
from rules.model.source import Expression, TemplateText
from rules.model.table import Table
from rules.pointing import value_of

Role = Literal[
    "by",
    "when",
    "let",
    "unless",
    "having",
    "argument",
    "step",
    "fold",
    "initial",
    "payload",
    "subject",
    "input",
    "output",
    "upcast",
]
Others = tuple[tuple[str, tuple[str, ...]], ...]


@dataclass(frozen=True, slots=True, eq=False)
class Position:
    owner: Rule | Projection | Table | EventSchema
    role: Role
    name: str
    """Of the `let`, the field, the step, or the aggregate whose argument this is; else empty."""
    text: Expression | TemplateText
    events: tuple[str, ...]
    """The types and patterns that `event` can be of."""
    environment: Environment
    kind: Type
    error: cel.CelSyntaxError | None
    others: Others = ()
    """Other events that it may read: the name, and the types and patterns that they can be of."""

    @property
    def node(self) -> cel.Node:
        return self.text.node if isinstance(self.text, Expression) else self.text.template.node

    @property
    def ends_matches(self) -> bool:
        """Whether it is that of a `not` in a sequence: one of a step reads its event under the step's name too."""
        return self.role == "step" and (not self.others or self.others[-1][0] != self.name)

    @property
    def tables(self) -> set[str]:
        """The decision tables that it reads by name, and "" for `tables` by itself."""
        if "tables" not in value_of(self.text):
            return set()
        return {path[1] if len(path) > 1 else "" for path in cel.paths(self.node) if path[0] == "tables"}
