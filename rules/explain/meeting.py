"""A rule and an event that meet: what all kinds of rules have in common when that is told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from rules.compile.firing import Firing
from rules.compile.variables import NO_NAMES, Frame, Names
from rules.expectations import document
from rules.explain.explanation import RuleExplained
from rules.explain.outcome import Outcome, Watch, refused
from rules.explain.tracing import Looked, Tracing, compared
from rules.model.rule import Rule
from rules.processor import RulesProcessor
from rules.step import Evaluation
from streams.event import Event
from streams.outputs import Command, Derived
from streams.processor import Partition, Step
from streams.state import Cell, decode_cell, encode_cell


@dataclass(slots=True)
class Meeting:
    said: Rule
    event: Event
    key: str
    cell: Cell
    """A copy, which what follows changes."""
    evaluation: Evaluation
    step: Step
    processor: RulesProcessor
    tracing: Tracing
    looked: Looked = field(default_factory=Looked)

    def frame(self, cell: Cell | None = None) -> Frame:
        return Frame(self.event, self.key, self.cell if cell is None else cell, self.event.time, self.evaluation.copies)

    def watch(self, firing: Firing) -> Watch:
        return Watch(self.step, self.said, firing, self.cell)

    def aside(self) -> tuple[Evaluation, Cell]:
        """The same once more, for something to be looked at that changes state."""
        cell = decode_cell(encode_cell(self.cell))
        step = Step(Partition(tick=self.step.partition.tick), {self.key: cell}, None, self.step.copies)
        return Evaluation(self.processor, step), cell

    def judged(self, frame: Frame, names: Names = NO_NAMES) -> Outcome | None:
        """`let` and `when` of the rule: what follows where it does not hold."""
        tracing, said = self.tracing, self.said
        tracing.lets(said, frame, self.looked, names)
        outcome = None
        if said.when is not None:
            condition = tracing.look(said.name, "when", said.when, frame, said.let, names)
            self.looked.comparisons += compared(said.when, condition)
            outcome = refused(condition)
            if outcome is not None:
                outcome = outcome._replace(takes=tracing.takes(said, "when", said.when, frame, names))
        self.looked.tables += tracing.tables(frame)
        return outcome

    def told(self, outcome: Outcome, state: Sequence[str], before: int) -> RuleExplained:
        """`before` is how many outputs there were before the rule met the event."""
        made = self.step.outputs[before:]
        return RuleExplained(
            self.said.name,
            outcome.verdict,
            outcome.reason,
            self.looked.last,
            self.looked.lets,
            tuple(state),
            outcome.takes,
            tuple(document(each) for each in made if isinstance(each, Command)),
            tuple(each.event.type for each in made if isinstance(each, Derived)),
            tuple(self.looked.tables),
            self.looked.aggregates,
        )
