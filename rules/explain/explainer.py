"""From an event and the state that it meets to an explanation.

Follows the step (`rules/step.py`) part by part on a copy of each key's cell: what was due fires, folds run, and then
each rule is asked in the order of firing. A property test holds what comes out equal to what the step puts out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from rules import cel
from rules.compile import compiled
from rules.compile.listen import Hearing
from rules.compile.plan import Route
from rules.compile.rule import CompiledRule
from rules.explain.explanation import Explained, Folded, KeyExplained, RuleExplained
from rules.explain.meeting import Meeting
from rules.explain.plain import plain
from rules.explain.python import python
from rules.explain.sequence import sequence
from rules.explain.state import when
from rules.explain.tracing import Tracing
from rules.explain.window import window
from rules.ruleset import RuleSet
from rules.step import Evaluation
from streams.copies import Copies
from streams.event import Event
from streams.outputs import Command, Derived, Output
from streams.processor import Partition, Step
from streams.state import DAWN, Cell


class Known(NamedTuple):
    """What an event meets under a key: a copy of the cell, the time of the latest tick in microseconds, and the rows
    that lie in every partition."""

    cell: Cell
    tick: int
    copies: Copies


class Explainer:
    """Of one rule set. Compiles it, and what it evaluates of it a second time, when it is asked."""

    def __init__(self, ruleset: RuleSet) -> None:
        self._parts = compiled(ruleset)
        self._rules = {rule.name: rule for rule in ruleset.rules}
        self._tracing = Tracing(ruleset, self._parts.compiler)

    def explain(
        self,
        event: Event,
        known_of: Callable[[str], Known | None],
        only: str | None = None,
    ) -> Explained:
        """`known_of` says what was known of a key before the event, None where that cannot be had; `only` names the one
        rule to tell of. Raises msgspec.DecodeError for data that are no JSON."""
        plan = self._parts.plans[event.type]
        event = plan.current(event)
        under: dict[str, list[Route]] = {}
        keyless: dict[str, str] = {}
        for route in plan.routes:
            try:
                under.setdefault(route.key(event), []).append(route)
            except cel.CelEvaluationError as error:
                keyless.update(dict.fromkeys(route.listeners, error.message))
        own = [event.key] if event.key in under else []
        keys = [
            self._key(event, key, under[key], known_of(key), only)
            for key in [*own, *(each for each in under if each != event.key)]
        ]
        return Explained(
            event.id,
            event.source,
            event.type,
            event.subject,
            event.time,
            not plan.routes,
            plan.misfit(event),
            keyless,
            tuple(keys),
        )

    def _key(
        self,
        event: Event,
        key: str,
        routes: Sequence[Route],
        known: Known | None,
        only: str | None,
    ) -> KeyExplained:
        cell, tick, copies = known if known is not None else Known(Cell(), DAWN, Copies())
        step = Step(Partition(tick=tick), {key: cell}, None, copies)
        evaluation = Evaluation(self._parts.processor, step)
        clock = evaluation.moved(event, key, cell)
        if cell.due < clock:
            evaluation.expire(key, cell, clock)
        before = tuple(map(_put_out, step.outputs))
        hearing = self._parts.plans[event.type].hearing.along([route.id for route in routes])
        folds: list[Folded] = []
        for fold in hearing.folds:
            listener = f"projection {fold.projection}"
            failed = step.counts.get(f"not_evaluated|{listener}", 0)
            fold.slowly(evaluation, event, key, cell)
            error = step.reasons[listener] if step.counts.get(f"not_evaluated|{listener}", 0) > failed else None
            row = cell.rows.get(fold.id)
            folds.append(Folded(fold.projection, None if row is None else dict(row), error))
        rules: list[RuleExplained] = []
        for made in _ranked(hearing):
            told = self._rule(evaluation, step, event, key, cell, made, hearing)
            if only in (None, told.rule):
                rules.append(told)
        return KeyExplained(key, known is not None, clock, bool(evaluation.late), before, tuple(folds), tuple(rules))

    def _rule(
        self,
        evaluation: Evaluation,
        step: Step,
        event: Event,
        key: str,
        cell: Cell,
        rules: Sequence[CompiledRule],
        hearing: Hearing,
    ) -> RuleExplained:
        """`rules` are those that were made of one, in the order in which they meet the event."""
        first = rules[0]
        said = self._rules[first.name]
        meeting = Meeting(said, event, key, cell, evaluation, step, self._parts.processor, self._tracing)
        if said.function is not None:
            return python(meeting, first)
        if said.sequence is not None:
            return sequence(meeting, rules)
        if said.window is not None:
            return window(meeting, first)
        return plain(meeting, first, first in hearing.meets, first in hearing.cancels)


def _ranked(hearing: Hearing) -> list[list[CompiledRule]]:
    """In the order of firing, each with all that was made of one rule."""
    ranked: dict[int, dict[CompiledRule, None]] = {}
    for rule in (*hearing.cancels, *hearing.meets):
        ranked.setdefault(rule.rank, {})[rule] = None
    return [list(ranked[rank]) for rank in sorted(ranked)]


def _put_out(output: Output) -> str:
    match output:
        case Command():
            return f"rule {output.rule} fired at {when(output.at)}: command {output.command}"
        case Derived():
            return f"rule {output.rule} fired: event {output.event.type}"
        case _:
            return type(output).__name__.lower()
