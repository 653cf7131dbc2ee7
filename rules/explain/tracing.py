"""Expressions of a rule set, evaluated once more with each comparison on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from rules import cel
from rules.aggregates import Aggregate, Aggregates
from rules.compile.framed import Compiler
from rules.compile.variables import NO_NAMES, Frame, Names
from rules.explain.explanation import Comparison, Decided
from rules.model.rule import Rule
from rules.model.source import Expression
from rules.model.table import Table
from rules.ruleset import RuleSet

MOST_COMPARISONS: Final = 40
"""Of one rule. Comprehensions over long lists make many, and so do open sequences."""


@dataclass(slots=True)
class Looked:
    """What was looked at of one rule, so far."""

    comparisons: list[Comparison] = field(default_factory=list)
    lets: dict[str, Any] = field(default_factory=dict)
    """Name → value as JSON, or the reason why there is none."""
    aggregates: dict[str, Any] = field(default_factory=dict)
    tables: list[Decided] = field(default_factory=list)

    @property
    def last(self) -> tuple[Comparison, ...]:
        return tuple(self.comparisons[-MOST_COMPARISONS:])


class Tracing:
    """Compiles what is asked for when it is first asked for."""

    def __init__(self, ruleset: RuleSet, compiler: Compiler) -> None:
        self._compiler = compiler
        self._tables: dict[str, Table] = ruleset.tables
        self._traced: dict[tuple[str, str], Callable[[Frame], cel.Explanation]] = {}
        self._aggregates: dict[str, Aggregates] = {}

    def aggregates(self, rule: Rule) -> Aggregates:
        """Of a rule with a window."""
        known = self._aggregates.get(rule.name)
        if known is None:
            known = self._aggregates[rule.name] = Aggregates(rule)
        return known

    def look(
        self,
        rule: str,
        part: str,
        expression: Expression,
        frame: Frame,
        lets: Sequence[tuple[str, Expression]] = (),
        names: Names = NO_NAMES,
        aggregates: Sequence[Aggregate] = (),
    ) -> cel.Explanation:
        """`part` tells the expressions of a rule apart; the others say what it may read."""
        traced = self._traced.get((rule, part))
        if traced is None:
            title = f"rule {rule} {part}"
            traced = self._compiler.traced(title, expression.node, lets, names, aggregates)
            self._traced[rule, part] = traced
        return traced(frame)

    def lets(self, rule: Rule, frame: Frame, looked: Looked, names: Names = NO_NAMES) -> None:
        """Puts the values, or the errors in their place, into the frame."""
        for place, (name, expression) in enumerate(rule.let):
            found = self.look(rule.name, f"let {name}", expression, frame, rule.let[:place], names)
            frame.lets[name] = found.value if found.error is None else found.error.again()
            looked.lets[name] = as_json(frame.lets[name])
            looked.comparisons += compared(expression, found)

    def takes(
        self,
        rule: Rule,
        part: str,
        condition: Expression,
        frame: Frame,
        names: Names = NO_NAMES,
        aggregates: Sequence[Aggregate] = (),
    ) -> str | None:
        """The first part of a condition that is not true."""
        for place, each in enumerate(cel.conjuncts(condition.node)):
            text = condition.text[each.start : each.end]
            alone = Expression(text, each, condition.span)
            found = self.look(rule.name, f"part {place} of {part}", alone, frame, rule.let, names, aggregates)
            if found.value is not True:
                return text
        return None

    def tables(self, frame: Frame) -> Iterable[Decided]:
        """Those that were asked with this frame."""
        for name in frame.decided or ():
            table = self._tables[name]
            given, rows = self._compiler.tables[name].looked(frame)
            inputs = {read.text: as_json(value) for read, value in zip(table.inputs, given, strict=True)}
            failed = rows.message if isinstance(rows, cel.CelEvaluationError) else None
            places = () if isinstance(rows, cel.CelEvaluationError) else rows
            yield Decided(name, inputs, tuple(table.rows[place].span.line for place in places), failed)


def compared(expression: Expression, found: cel.Explanation) -> list[Comparison]:
    return [
        Comparison(
            expression.text[step.start : step.end],
            tuple(map(as_json, step.operands)),
            step.result if isinstance(step.result, bool) else as_json(step.result),
        )
        for step in found.steps
    ]


def as_json(value: Any) -> Any:
    """A value, with the reason where there is none."""
    if isinstance(value, cel.CelEvaluationError):
        return f"no value: {value.message}"
    try:
        return cel.payload(value)
    except cel.CelEvaluationError as error:
        return f"no value: {error.message}"
