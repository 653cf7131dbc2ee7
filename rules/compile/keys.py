"""Routes: the distinct `by` expressions of a rule set, and the key that each gives an event.

Rules and projections that group by the same expression share a route, so an event that belongs under another key is
forwarded once for all of them. The subject is the route of whoever names none.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter

from rules.compile.framed import Compiler
from rules.compile.variables import Frame
from rules.model.source import Expression
from rules.node_id import route_id
from streams.copies import NONE
from streams.event import Event
from streams.state import Cell


class Keys:
    def __init__(self, compiler: Compiler) -> None:
        self._compiler = compiler
        self.subject = route_id(None)
        self._keys: dict[str, Callable[[Event], str]] = {self.subject: attrgetter("subject")}

    def route(self, by: Expression | None) -> str:
        """The id of the route, which is known from now on."""
        id = route_id(by)
        if by is not None and id not in self._keys:
            self._keys[id] = _of_event(self._compiler.text(f"by {by.text}", by.node))
        return id

    def of(self, route: str) -> Callable[[Event], str]:
        """The key of an event. Raises CelEvaluationError where it has none: absent, null, a list or a map."""
        return self._keys[route]


def _of_event(text: Callable[[Frame], str]) -> Callable[[Event], str]:
    nobody = Cell()
    return lambda event: text(Frame(event, event.key, nobody, event.time, NONE))
