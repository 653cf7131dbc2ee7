"""What of a sequence's events has to be kept until it completes: what later expressions read of them.

A step's event is read by the steps behind it, and by `when`, `let` and the actions of the rule. Of the last step
nothing is kept: its event is there when they are evaluated.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple

from rules import cel
from rules.model.rule import Rule
from rules.model.sequence import Sequence, Step
from rules.model.source import Expression, TemplateText

Fields = dict[str, Any]
"""Field of a map → the fields of its value that are read, in turn, or None: all of it."""

ATTRIBUTES: Final = ("id", "source", "type", "subject", "time")


class Kept(NamedTuple):
    attributes: tuple[str, ...]
    extensions: bool
    data: Fields | None
    """None: all. Empty: nothing."""


WHOLE: Final = Kept(ATTRIBUTES, True, None)


def kept_fields(rule: Rule) -> list[Kept | None]:
    """Of each step; None where nothing is read."""
    sequence = rule.sequence
    if sequence is None:
        return []
    at_last = [*_of_rule(rule)]
    found: list[Kept | None] = []
    for place, step in enumerate(sequence.steps[:-1]):
        later = [*at_last, *_of_steps(sequence, place + 1)]
        # a table has inputs of its own
        found.append(WHOLE if any("tables" in cel.names(node) for node in later) else _read(step.name, later))
    return [*found, None]


def _of_rule(rule: Rule) -> Iterator[cel.Node]:
    if rule.when is not None:
        yield rule.when.node
    yield from (expression.node for _, expression in rule.let)
    yield from _templates(rule.then)


def _of_steps(sequence: Sequence, first: int) -> Iterator[cel.Node]:
    for step in sequence.steps[first:]:
        yield from _conditions(step)


def _conditions(step: Step) -> Iterator[cel.Node]:
    whens: Iterable[Expression | None] = (*(each.when for each in step.nots), step.when)
    yield from (when.node for when in whens if when is not None)


def _templates(value: Any) -> Iterator[cel.Node]:
    """Whatever actions evaluate, however deep it lies in them."""
    if isinstance(value, TemplateText):
        yield value.template.node
    elif isinstance(value, Expression):
        yield value.node
    elif isinstance(value, dict):
        yield from _templates(tuple(value.values()))
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from _templates(each)
    elif dataclasses.is_dataclass(value):
        yield from _templates([getattr(value, field.name) for field in dataclasses.fields(value)])


def _read(name: str, nodes: Iterable[cel.Node]) -> Kept | None:
    attributes: set[str] = set()
    extensions = False
    data: Fields | None = {}
    paths = sorted({path for node in nodes for path in cel.paths(node) if path[0] == name})
    for path in paths:
        if len(path) == 1:
            return WHOLE
        if path[1] in ATTRIBUTES:
            attributes.add(path[1])
        elif path[1] != "data":
            extensions = True
        elif len(path) == 2:
            data = None
        elif data is not None:
            _add(data, path[2:])
    if not paths:
        return None
    return Kept(tuple(each for each in ATTRIBUTES if each in attributes), extensions, data)


def _add(fields: Fields, path: cel.Path) -> None:
    for field in path[:-1]:
        inner = fields.setdefault(field, {})
        if inner is None:
            return
        fields = inner
    fields[path[-1]] = None
