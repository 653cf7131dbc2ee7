"""The test kit for rule authors: rules over events in memory, with a clock of your own, and commands back.

    kit = given(rules_text)
    kit.event("order.placed", "A1", {"total": 10}).advance("49h")
    assert [command.command for command in kit.commands] == ["remind"]

`run_tests` runs the `tests:` of a rule set the same way. Both drive `rules.simulation`, the reference run, so what
holds here holds for `simulate` and for a live log. Nothing is delivered, nothing is read from outside; one thread.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from rules.compile import compile_rules
from rules.diagnostics import shown
from rules.expectations import Shown, compare, document
from rules.explain.failing import why
from rules.given import completed, event_of
from rules.load import load_sources
from rules.model.source import Span
from rules.model.test_case import TestCase
from rules.processor import RulesProcessor
from rules.ruleset import RuleSet
from rules.simulation import Simulation
from streams import duration, rfc3339
from streams.event import TICK, Event
from streams.outputs import Command, Derived
from streams.processor import Poisoned

Time = str | datetime | int
"""RFC 3339 text, an aware datetime, or microseconds since 1970."""
Wait = str | timedelta
"""`90m` and the like, or a timedelta."""

START: Final = "2024-01-01T00:00:00Z"


def given(
    rules: RuleSet | Mapping[str, str | bytes] | str | bytes, at: Time = START, partitions: int = 1
) -> RuleTestKit:
    """A kit whose clock stands at `at`. Raises RuleErrors if the rules cannot be used."""
    if isinstance(rules, (str, bytes)):
        rules = {"rules.yaml": rules}
    ruleset = rules if isinstance(rules, RuleSet) else load_sources(rules)
    return RuleTestKit(compile_rules(ruleset), at, partitions)


class RuleTestKit:
    """What happens to events, one after the other. All methods that do something return the kit."""

    def __init__(self, processor: RulesProcessor, at: Time = START, partitions: int = 1) -> None:
        self._simulation = Simulation(processor, partitions)
        self._given = 0
        self.now = _micros(at)
        """The time of events that say none: microseconds since 1970, the latest time that was given."""

    def event(
        self, type: str, subject: str = "", data: Any = None, *, time: Time | None = None, **attributes: Any
    ) -> RuleTestKit:
        """The next event. `id` and `source` may be among the attributes; else they come from its place.

        Raises streams.intake.IntakeError for what is no event, and Poisoned for what cannot be evaluated."""
        micros = self.now if time is None else _micros(time)
        made = {"type": type, "subject": subject, "time": rfc3339.format(micros), "data": data, **attributes}
        return self.give(made)

    def give(self, event: Mapping[str, Any] | Event) -> RuleTestKit:
        """The next event, as its CloudEvents attributes. Raises as `event`."""
        self._given += 1
        made = event if isinstance(event, Event) else event_of(completed(event, self._given))
        self._simulation.event(made)
        self.now = max(self.now, made.time)
        return self

    def tick(self, time: Time) -> RuleTestKit:
        """Moves the clock as an event at that time would: what lies before it fires."""
        return self.give({"type": TICK, "time": rfc3339.format(_micros(time))})

    def until(self, time: Time) -> RuleTestKit:
        """Moves the clock: what is due up to that time fires, that time included."""
        micros = _micros(time)
        self._simulation.finish(micros)
        self.now = max(self.now, micros)
        return self

    def advance(self, wait: Wait) -> RuleTestKit:
        """As `until`, for so long after now."""
        span = duration.parse(wait) if isinstance(wait, str) else wait // timedelta(microseconds=1)
        return self.until(self.now + span)

    @property
    def commands(self) -> list[Command]:
        """All so far, in the order of their decision; those of shadow rules are marked."""
        return self._simulation.commands

    @property
    def derived(self) -> list[Event]:
        """Events that `emit` made so far, in order. A shadow rule makes none."""
        outputs = self._simulation.outputs
        return [output.event for output in outputs if isinstance(output, Derived) and not output.shadow]

    @property
    def not_evaluated(self) -> dict[str, str]:
        """Rule (or `projection NAME`) → the newest reason why it was not evaluated; `event TYPE` → why one was not as
        it is declared."""
        return dict(self._simulation.reasons)

    def fired(self, rule: str) -> int:
        return self._simulation.counts.get(f"fired|{rule}", 0)

    def row(self, projection: str, key: str) -> dict[str, Any] | None:
        """The row as it is now, or None where the key has none."""
        return self._simulation.row(projection, key)


@dataclass(frozen=True, slots=True)
class TestOutcome:
    """What became of one test of a rule file."""

    __test__ = False  # no test of ours, whatever pytest thinks of the name

    name: str
    passed: bool
    report: str
    """For a person: what was expected and did not happen, and the reverse. Empty where the test passed."""
    commands: tuple[Shown, ...]
    """All that happened, in the form of RULES.md §13."""
    span: Span


def run_tests(ruleset: RuleSet) -> list[TestOutcome]:
    """One outcome for each of `tests:`, in file order."""
    processor = compile_rules(ruleset)
    return [_run(processor, test) for test in ruleset.tests]


def _run(processor: RulesProcessor, test: TestCase) -> TestOutcome:
    simulation = Simulation(processor)
    problem = None
    for place, attributes in enumerate(test.given, 1):
        try:
            simulation.event(event_of(attributes))
        except Poisoned as error:
            problem = f"  event {place} of `given` cannot be evaluated: {error}"
            break
    else:
        simulation.finish(test.until)
    happened = [document(command) for command in simulation.commands]
    lines = [f"{test.span.file}:{test.span.line}: test {shown(test.name, 200)} failed"]
    if problem is not None:
        lines.append(problem)
    else:
        difference = compare(test.expect, happened)
        if difference is None:
            return TestOutcome(test.name, True, "", tuple(happened), test.span)
        lines += [difference.report, *why(processor.ruleset, test, difference.alone)]
    for who, reason in sorted(simulation.reasons.items()):
        if who.startswith("projection "):
            count = simulation.counts.get(f"not_evaluated|{who}", 0)
            times = "once, because" if count == 1 else f"{count} times, the last time because"
            lines.append(f"  {who} was not folded {times} {reason}")
        elif (misfits := simulation.counts.get(f"schema|{who.removeprefix('event ')}", 0)) and who.startswith("event "):
            times = "once" if misfits == 1 else f"{misfits} times, the last time"
            lines.append(f"  {who} was not as it is declared {times}: {reason}")
    return TestOutcome(test.name, False, "\n".join(lines), tuple(happened), test.span)


def _micros(time: Time) -> int:
    if isinstance(time, str):
        return rfc3339.parse(time)
    if isinstance(time, datetime):
        if time.tzinfo is None:
            raise rfc3339.TimeError(f"{time!r} has no time zone: give it one, such as `tzinfo=UTC`")
        return rfc3339.parse(time.isoformat())
    return time
