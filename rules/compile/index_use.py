"""Which index finds a rule for an event, as tools show it: the tables of `rules.compile.index`, rule by rule."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from rules import cel
from rules.compile.index import tables
from rules.compile.listen import Hearing
from rules.compile.plan import Plans
from rules.ruleset import RuleSet

_ANY: Final = "\N{NO-BREAK SPACE}"
"""Makes a type of a pattern that no other rule names."""


@dataclass(frozen=True, slots=True)
class IndexUse:
    rule: str
    heard: str
    """A type or pattern of its `on`."""
    how: Literal["index", "tested", "always"]
    """Looked up by a value · its condition tested for every such event · it has none."""
    path: str
    """Of the value that is looked up; else empty."""
    beside: int
    """How many rules are in the same index, or hear the same events."""


def index_uses(ruleset: RuleSet, plans: Plans) -> Iterator[IndexUse]:
    """Of each enabled rule and each type it hears, in the order of the file.

    A pattern stands for a type that no other rule names; for one that is named, the entry of those who name it counts.
    """
    known: dict[Hearing, dict[str, tuple[str, int]]] = {}
    for rule in ruleset.rules:
        if not rule.enabled:
            continue
        # of a sequence, what opens a match: others are met only where one is open
        opening = rule if rule.sequence is None else rule.sequence.steps[0]
        for heard in opening.on:
            hearing = plans.hearing(heard.replace("*", _ANY))
            if hearing not in known:
                known[hearing] = _indexed(hearing)
            found = known[hearing].get(rule.name)
            if found is not None:
                yield IndexUse(rule.name, heard, "index", *found)
            else:
                yield IndexUse(rule.name, heard, "always" if opening.when is None else "tested", "", len(hearing.meets))


def _indexed(hearing: Hearing) -> dict[str, tuple[str, int]]:
    found: dict[str, tuple[str, int]] = {}
    for table in tables(hearing.meets):
        path = ".".join(cel.path(table.node) or ("?",))
        for place in table.places:
            found[hearing.meets[place].name] = (path, len(table.places))
    return found
