"""From an event and the state that it meets to an explanation.

Follows the step (`rules/step.py`) part by part on a copy of each key's cell: what was due fires, folds run, and then
each rule is asked in the order of firing. A property test holds what comes out equal to what the step puts out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from rules import cel
from rules.compile import compiled
from rules.compile.plan import Route
from rules.compile.rule import CompiledRule
from rules.compile.triggers.after import After
from rules.compile.variables import Frame
from rules.expectations import document
from rules.explain.explanation import Comparison, Decided, Explained, Folded, KeyExplained, RuleExplained, Verdict
from rules.explain.state import remembered, silent_until, when
from rules.model.rule import NEVER, Rule
from rules.model.source import Expression
from rules.nodes.waiting import DUE
from rules.ruleset import RuleSet
from rules.step import Evaluation
from streams.copies import Copies
from streams.event import Event
from streams.outputs import Command, Derived, Output
from streams.processor import Partition, Step
from streams.state import DAWN, Cell

MOST_COMPARISONS = 40
"""Of one rule. Comprehensions over long lists make many."""


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
        self._tables_by_name = ruleset.tables
        self._traced: dict[tuple[str, str], Callable[[Frame], cel.Explanation]] = {}

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
        for rule in sorted({*hearing.cancels, *hearing.meets}, key=lambda each: each.rank):
            told = self._rule(evaluation, step, event, key, cell, rule, rule in hearing.meets, rule in hearing.cancels)
            if only in (None, rule.name):
                rules.append(told)
        return KeyExplained(key, known is not None, clock, bool(evaluation.late), before, tuple(folds), tuple(rules))

    def _rule(
        self,
        evaluation: Evaluation,
        step: Step,
        event: Event,
        key: str,
        cell: Cell,
        rule: CompiledRule,
        meets: bool,
        cancels: bool,
    ) -> RuleExplained:
        said = self._rules[rule.name]
        state = tuple(remembered(rule, said.once_within, cell))
        cancelled = 0
        if cancels and isinstance(rule.trigger, After) and rule.trigger.id in cell.nodes:
            pending = len(cell.nodes[rule.trigger.id])
            rule.trigger.cancel(evaluation, event, key, cell)
            cancelled = pending - len(cell.nodes.get(rule.trigger.id, ()))
        if not meets:
            many = f"the event cancels {cancelled:,} pending" if cancelled else "there is nothing that it cancels"
            verdict: Verdict = "cancelled" if cancelled else "nothing"
            return RuleExplained(rule.name, verdict, many, (), {}, state, None, (), ())
        frame = Frame(event, key, cell, event.time, evaluation.copies)
        comparisons = self._lets(said, frame)
        shown = {name: _value(value) for name, value in frame.lets.items()}
        if said.when is not None:
            condition = self._look(rule.name, "when", said.when, said.let, frame)
            comparisons += _compared(said.when, condition)
            if condition.error is not None or condition.value is not True:
                verdict, reason = _refused(condition)
                takes = self._takes(said, frame)
                tables = self._tables(frame)
                return RuleExplained(
                    rule.name, verdict, reason, _last(comparisons), shown, state, takes, (), (), tables
                )
        outputs, counts = len(step.outputs), dict(step.counts)
        quiet = silent_until(rule, said.once_within, cell)
        due = {id: _first(cell, id) for id in rule.node_ids.values()}
        rule.trigger.meet(evaluation, event, key, cell)
        verdict, reason, takes = self._outcome(step, counts, rule, cell, due, quiet)
        made = step.outputs[outputs:]
        return RuleExplained(
            rule.name,
            verdict,
            reason,
            _last(comparisons),
            shown,
            state,
            takes,
            tuple(document(each) for each in made if isinstance(each, Command)),
            tuple(each.event.type for each in made if isinstance(each, Derived)),
            self._tables(frame),
        )

    def _tables(self, frame: Frame) -> tuple[Decided, ...]:
        """Those that were asked with this frame."""
        found: list[Decided] = []
        for name in frame.decided or ():
            table = self._tables_by_name[name]
            given, rows = self._parts.compiler.tables[name].looked(frame)
            inputs = {read.text: _value(value) for read, value in zip(table.inputs, given, strict=True)}
            failed = rows.message if isinstance(rows, cel.CelEvaluationError) else None
            places = () if isinstance(rows, cel.CelEvaluationError) else rows
            found.append(Decided(name, inputs, tuple(table.rows[place].span.line for place in places), failed))
        return tuple(found)

    def _lets(self, said: Rule, frame: Frame) -> list[Comparison]:
        """Puts the values, or the errors in their place, into the frame."""
        comparisons: list[Comparison] = []
        for place, (name, expression) in enumerate(said.let):
            found = self._look(said.name, f"let {name}", expression, said.let[:place], frame)
            frame.lets[name] = found.value if found.error is None else found.error.again()
            comparisons += _compared(expression, found)
        return comparisons

    def _look(
        self, rule: str, part: str, expression: Expression, lets: Sequence[tuple[str, Expression]], frame: Frame
    ) -> cel.Explanation:
        traced = self._traced.get((rule, part))
        if traced is None:
            traced = self._parts.compiler.traced(f"rule {rule} {part}", expression.node, lets)
            self._traced[rule, part] = traced
        return traced(frame)

    def _takes(self, said: Rule, frame: Frame) -> str | None:
        """The first part of `when` that is not true."""
        assert said.when is not None
        for place, part in enumerate(cel.conjuncts(said.when.node)):
            text = said.when.text[part.start : part.end]
            found = self._look(
                said.name, f"part {place} of when", Expression(text, part, said.when.span), said.let, frame
            )
            if found.value is not True:
                return text
        return None

    def _outcome(
        self,
        step: Step,
        before: dict[str, int],
        rule: CompiledRule,
        cell: Cell,
        due: dict[str, int | None],
        quiet: int | None,
    ) -> tuple[Verdict, str, str | None]:
        def more(name: str) -> bool:
            return step.counts.get(name, 0) > before.get(name, 0)

        if more(f"not_evaluated|{rule.name}"):
            return "not evaluated", step.reasons[rule.name], None
        if more(f"throttled|{rule.name}"):
            if quiet is None or quiet >= NEVER:
                return "silent", "it has fired for this key, and once is once", None
            return "silent", "it has fired for this key not long ago", f"a firing at {when(quiet)} or later"
        if more(f"fired|{rule.name}"):
            return "fired", "`when` holds" if rule.when is not None else "every such event is a firing", None
        if more("looped"):
            return "looped", "the chain of derived events, commands and results is too long", None
        for name, id in rule.node_ids.items():
            first = _first(cell, id)
            if first is not None and first != due[id]:
                return "waits", f"{name}: due {when(first)}", None
        if rule.node_ids.keys() - {"throttle"} and isinstance(rule.trigger, After) and rule.trigger.id in cell.nodes:
            first = _first(cell, rule.trigger.id)
            assert first is not None
            return "waits", f"deadline: the first is due {when(first)}", None
        return "nothing", "it met the event, and nothing follows yet", None


def _first(cell: Cell, id: str) -> int | None:
    """When what waits in a node is due first."""
    state = cell.nodes.get(id)
    return int(state[0][DUE]) if isinstance(state, list) and state and isinstance(state[0], list) else None


def _refused(condition: cel.Explanation) -> tuple[Verdict, str]:
    if condition.error is not None:
        return "not evaluated", condition.error.message
    if condition.value is not False:
        return "not evaluated", "`when` must be true or false"
    return "does not hold", "`when` is false"


def _compared(expression: Expression, found: cel.Explanation) -> list[Comparison]:
    return [
        Comparison(
            expression.text[step.start : step.end],
            tuple(map(_value, step.operands)),
            step.result if isinstance(step.result, bool) else _value(step.result),
        )
        for step in found.steps
    ]


def _last(comparisons: list[Comparison]) -> tuple[Comparison, ...]:
    return tuple(comparisons[-MOST_COMPARISONS:])


def _value(value: Any) -> Any:
    """As JSON, with the reason where there is none."""
    if isinstance(value, cel.CelEvaluationError):
        return f"no value: {value.message}"
    try:
        return cel.payload(value)
    except cel.CelEvaluationError as error:
        return f"no value: {error.message}"


def _put_out(output: Output) -> str:
    match output:
        case Command():
            return f"rule {output.rule} fired at {when(output.at)}: command {output.command}"
        case Derived():
            return f"rule {output.rule} fired: event {output.event.type}"
        case _:
            return type(output).__name__.lower()
