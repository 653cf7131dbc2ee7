"""A Python rule: each event that fits is a call, and a call that returns actions is a firing (RULES.md §10).

An event for which it fails is parked. One that a rule emitted cannot be: it may come of a deadline, and a tick that
could not be evaluated would hold up the clock of its whole partition. There the failure is counted and the rule does
nothing, as for an expression without a value; in every run alike, whatever the emitted event came of.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from rules import cel
from rules.compile.action import Performer
from rules.compile.variables import UNDECODED, Frame
from rules.model.event_schema import EventSchema
from rules.model.function import Function
from rules.nodes.kept import moment
from rules.python.errors import BadValue, PythonRuleError
from rules.python.module import line_in
from rules.python.results import Results, results
from rules.python.state import fresh, packed
from rules.python.view import Event as View
from streams.event import DERIVED, Event
from streams.state import Cell

if TYPE_CHECKING:
    from rules.step import Evaluation, Waiter

LONGEST: Final = 500
_ADDRESS: Final = re.compile(r"\b0x[0-9a-f]{6,}")


class Calling:
    waiters: Final[Sequence[Waiter]] = ()

    def __init__(
        self,
        ruleset: str,
        rule: str,
        shadow: bool,
        function: Function,
        state: str,
        versions: Mapping[str, Sequence[EventSchema]],
    ) -> None:
        """`state` is the id under which its state lies."""
        self.node_ids: dict[str, str] = {"state": state} if function.state else {}
        self._ruleset = ruleset
        self._rule = rule
        self._shadow = shadow
        self._function = function
        self._state = state
        self._versions = versions

    def meet(self, evaluation: Evaluation, event: Event, key: str, cell: Cell, data: Any = UNDECODED) -> None:
        """Raises PythonRuleError; nothing is changed then."""
        before = cell.nodes.get(self._state)
        try:
            made, state = self._called(event, key, before)
        except PythonRuleError as error:
            if event.kind != DERIVED:
                raise
            evaluation.not_evaluated(self._rule, cel.CelEvaluationError(str(error)))
            return
        if state != before:
            if state is None:
                del cell.nodes[self._state]
            else:
                cell.nodes[self._state] = state
            evaluation.dirty.add(key)
        if not made.actions:
            return
        frame = Frame(event, key, cell, event.time, evaluation.copies, data)
        performer = Performer(
            self._ruleset, self._rule, self._shadow, made.actions, lambda _: made.carried, self._versions
        )
        if performer.perform(evaluation, frame, None, [event.source, event.id]):
            evaluation.count(f"fired|{self._rule}")

    def _called(self, event: Event, key: str, stored: bytes | None) -> tuple[Results, bytes | None]:
        function = self._function
        try:
            state = fresh(function, stored)
            made = results(function.call(_view(event, key), state, moment(event.time)))
            return made, packed(function, state)
        except BadValue as error:
            raise self._failed(str(error), function.line) from error
        except (Exception, SystemExit, GeneratorExit) as error:
            line = line_in(function.module, error) or function.line
            raise self._failed(f"{type(error).__name__}: {error}", line) from error

    def _failed(self, what: str, line: int) -> PythonRuleError:
        # an address in memory would make the reason another at each replay
        what = _ADDRESS.sub("0x…", what)[:LONGEST]
        return PythonRuleError(f"rule {self._rule} ({self._function.module}, line {line}): {what}")


def _view(event: Event, key: str) -> View:
    return View(
        id=event.id,
        source=event.source,
        type=event.type,
        subject=event.subject,
        time=moment(event.time),
        data=event.payload(),
        key=key,
        extensions=dict(event.extensions or ()),
    )
