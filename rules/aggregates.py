"""The aggregates of a rule with a window: which there are, what they are called with, and where their values are read.

A call such as `sum(event.data.amount)` in `having` or in an action is one value of the window, so behind the checks
it is a name, `sum(0)`, which no author can write. Calls that say the same share one, and equal arguments are one
column: what a window keeps of an event is the value of each column. The order of columns is that of what they say, so
that it stays when nothing but the order of calls is edited.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from rules import cel
from rules.cel.nodes import Name
from rules.model.action import Action, CommandAction, templates
from rules.model.rule import Rule
from rules.model.source import Expression, Payload, TemplateText
from rules.model.window import AGGREGATES
from rules.node_id import said


@dataclass(frozen=True, slots=True)
class Aggregate:
    name: str
    """How rewritten expressions read its value."""
    function: str
    column: int | None
    """Of its argument; None for `count()`."""
    argument: cel.Node | None


class Aggregates:
    """Of one rule that was read. `columns` are the arguments, each once."""

    def __init__(self, rule: Rule) -> None:
        self.found: list[Aggregate] = []
        self._known: dict[tuple[Any, ...], Aggregate] = {}
        arguments = {said(call.arguments[0]): call.arguments[0] for call in _all(rule) if call.arguments}
        self._places = {text: place for place, text in enumerate(sorted(arguments))}
        self.columns = [arguments[text] for text in self._places]
        self.having = None if rule.having is None else self.rewritten(rule.having)
        self.asked = tuple(self.found)
        """Those that `having` reads."""
        self.then = tuple(self._action(action) for action in rule.then)

    def of_column(self, column: int) -> set[str]:
        """The functions that are called with it."""
        return {each.function for each in self.found if each.column == column}

    def kept(self) -> list[tuple[str, cel.Node]]:
        """What a window keeps, as its definition says it: an average is a sum, and the number is there in any case."""
        return [
            ("sum" if each.function == "avg" else each.function, self.columns[each.column])
            for each in self.found
            if each.column is not None
        ]

    def rewritten(self, expression: Expression) -> Expression:
        return replace(expression, node=self._names(expression.node))

    def _names(self, root: cel.Node) -> cel.Node:
        new: dict[cel.Node, cel.Node] = {call: Name(call.start, call.end, self._of(call).name) for call in calls(root)}
        return cel.replaced(root, new) if new else root

    def _of(self, call: cel.Call) -> Aggregate:
        column, argument = None, None
        if call.arguments:
            argument = call.arguments[0]
            column = self._places[said(argument)]
        known = self._known.get((call.function, column))
        if known is None:
            name = f"{call.function}({'' if column is None else column})"
            known = self._known[call.function, column] = Aggregate(name, call.function, column, argument)
            self.found.append(known)
        return known

    def _action(self, action: Action) -> Action:
        if isinstance(action, CommandAction):
            args = {name: self.payload(value) for name, value in action.args.items()}
            return replace(action, args=args, fallback=tuple(map(self._action, action.fallback)))
        return replace(action, subject=self.payload(action.subject), data=self.payload(action.data))

    def payload(self, payload: Payload) -> Payload:
        if isinstance(payload, TemplateText):
            template = payload.template
            return replace(payload, template=replace(template, node=self._names(template.node)))
        if isinstance(payload, dict):
            return {name: self.payload(value) for name, value in payload.items()}
        if isinstance(payload, list):
            return [self.payload(value) for value in payload]
        return payload


def _all(rule: Rule) -> Iterator[cel.Call]:
    if rule.having is not None:
        yield from calls(rule.having.node)
    for action in rule.then:
        for template in templates(action):
            yield from calls(template.node)


def calls(root: cel.Node) -> Iterator[cel.Call]:
    """The outermost calls of aggregates."""
    inner: set[cel.Node] = set()
    for node in cel.walk(root):
        if node in inner or not is_aggregate(node):
            continue
        assert isinstance(node, cel.Call)
        inner.update(below for argument in node.arguments for below in cel.walk(argument))
        yield node


def is_aggregate(node: cel.Node) -> bool:
    return isinstance(node, cel.Call) and node.target is None and node.function in AGGREGATES
