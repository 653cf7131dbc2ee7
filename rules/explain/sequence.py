"""Sequences: which matches are open, which of them the event moved on, ended or completed, and whether it opens one.

What a sequence listens to is carried out by two compiled rules (`rules.compile.made_sequence`); here they are one. The
conditions are looked at first, in the order in which the rules ask them; then the rules do what they do.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from rules.compile.event_types import fits
from rules.compile.limits import LIMITS
from rules.compile.made_sequence import names_at_last
from rules.compile.rule import CompiledRule
from rules.compile.triggers.sequence import InSequence
from rules.compile.variables import Frame, Names
from rules.explain.explanation import RuleExplained
from rules.explain.meeting import Meeting
from rules.explain.outcome import Outcome, refused
from rules.explain.state import MOST, plural, remembered, when
from rules.explain.tracing import compared
from rules.kept_fields import kept_fields
from rules.model.sequence import Sequence as Steps
from rules.model.sequence import Step
from rules.model.source import Expression
from rules.nodes.kept_event import Met
from rules.nodes.matches import COUNT, KEPT, REACHED, STEP, order_of
from rules.nodes.waiting import DUE, ORDER, Entry

MOST_LOOKED_AT: Final = 50
"""Open matches of which conditions are looked at, the oldest first."""
TOO_OLD: Final = "it is too old to open a match"


@dataclass(slots=True)
class _Seen:
    """What was looked at, beside comparisons."""

    false: str | None = None
    """The condition of a step that does not hold."""
    refusal: Outcome | None = None
    """Of a match that was complete."""
    complete: set[int] = field(default_factory=set)
    """`ORDER` of matches that the event completes."""
    asked: bool = False
    """Whether a match waited for such an event, or it could have opened one."""


def sequence(meeting: Meeting, rules: Sequence[CompiledRule]) -> RuleExplained:
    steps = meeting.said.sequence
    assert steps is not None
    id = next(each.waits or each.trigger.node_ids["sequence"] for each in rules)
    firing = rules[0].firing
    state = (
        *_open(steps, meeting.cell.nodes.get(id, [])),
        *remembered(firing.node_ids, meeting.said.once_within, meeting.cell),
    )
    outputs = len(meeting.step.outputs)
    watch = meeting.watch(firing)
    seen = _Seen()
    before = _progress(meeting, id)
    for rule in rules:
        if rule.waits is None:
            _opens(meeting, steps, rule, seen)
        elif id in meeting.cell.nodes:
            _moves(meeting, steps, meeting.cell.nodes[id], seen)
            rule.trigger.meet(meeting.evaluation, meeting.event, meeting.key, meeting.cell)
    after = _progress(meeting, id)
    entries: list[Entry] = meeting.cell.nodes.get(id, [])
    outcome = watch.firing("the sequence is complete")
    if outcome is None:
        touched = [entry for entry in entries if after[entry[ORDER]] != before.get(entry[ORDER])]
        ended = [order for order in before if order not in after and order not in seen.complete]
        waits = Outcome("waits", _waits(steps, touched[0]), _takes(steps, touched[0])) if touched else None
        outcome = seen.refusal or waits or watch.failed() or _nothing(steps, entries, len(ended), seen)
    return meeting.told(outcome, state, outputs)


def _progress(meeting: Meeting, id: str) -> dict[int, tuple[int, int]]:
    return {entry[ORDER]: (entry[STEP], entry[COUNT]) for entry in meeting.cell.nodes.get(id, ())}


def _nothing(steps: Steps, entries: Sequence[Entry], ended: int, seen: _Seen) -> Outcome:
    newest = max(entries, key=order_of, default=None)
    takes = f"an event that fits `{steps.steps[0].name}`" if newest is None else _takes(steps, newest)
    if ended:
        return Outcome("cancelled", f"the event ends {plural(ended, 'match', 'matches')}", takes)
    if seen.false is not None:
        return Outcome("does not hold", f"it does not fit `{seen.false}`", takes)
    if seen.asked:
        return Outcome("nothing", TOO_OLD, takes)
    return Outcome("nothing", "no match waits for it", takes)


# ------------------------------------------------------------ what is looked at


def _moves(meeting: Meeting, steps: Steps, entries: Sequence[Entry], seen: _Seen) -> None:
    event, frame = meeting.event, meeting.frame()
    for entry in sorted(entries, key=order_of)[:MOST_LOOKED_AT]:
        step = steps.steps[entry[STEP]]
        if not entry[REACHED] <= event.time <= entry[DUE]:
            continue
        frame.named = [Met(None, kept) for kept in entry[KEPT]]
        before = Names(_kept_names(meeting, entry[STEP]))
        nots = () if entry[COUNT] else step.nots
        if any(
            _fits(meeting, f"{step.name} not {place}", each.on, each.when, frame, before)
            for place, each in enumerate(nots)
        ):
            continue
        fitting = _fits(meeting, step.name, step.on, step.when, frame, Names(before.others, step.name))
        if fitting is False:
            seen.false = step.name
        elif fitting and entry[STEP] + 1 == len(steps.steps) and entry[COUNT] + 1 >= step.times:
            seen.complete.add(entry[ORDER])
            _completes(meeting, steps, entry, seen)


def _completes(meeting: Meeting, steps: Steps, entry: Entry, seen: _Seen) -> None:
    frame = meeting.frame()
    frame.named = [Met(None, kept) for kept in entry[KEPT]]
    seen.refusal = meeting.judged(frame, names_at_last(meeting.said, steps)) or seen.refusal


def _opens(meeting: Meeting, steps: Steps, rule: CompiledRule, seen: _Seen) -> None:
    step = steps.steps[0]
    assert isinstance(rule.trigger, InSequence)
    if meeting.event.time + steps.within < meeting.evaluation.now(meeting.cell):
        seen.asked = True
        return
    frame = meeting.frame()
    if _fits(meeting, f"{step.name} opening", step.on, step.when, frame, Names((), step.name)) is False:
        seen.false = step.name
    if rule.condition.judge(meeting.evaluation, meeting.event, meeting.key, meeting.cell):
        rule.trigger.meet(meeting.evaluation, meeting.event, meeting.key, meeting.cell)


def _fits(
    meeting: Meeting, part: str, on: Sequence[str], condition: Expression | None, frame: Frame, names: Names
) -> bool | None:
    """None where the event is of another type, or that cannot be evaluated."""
    if not any(fits(pattern, meeting.event.type) for pattern in on):
        return None
    if condition is None:
        return True
    found = meeting.tracing.look(meeting.said.name, f"step {part}", condition, frame, names=names)
    meeting.looked.comparisons += compared(condition, found)
    meeting.looked.tables += meeting.tracing.tables(frame)
    frame.decided = None
    outcome = refused(found)
    if outcome is None:
        return True
    return False if outcome.verdict == "does not hold" else None


def _kept_names(meeting: Meeting, place: int) -> list[str]:
    """The names of the events that are kept of a match that waits for a step."""
    steps = meeting.said.sequence
    assert steps is not None
    kept = kept_fields(meeting.said)[:place]
    return [step.name for step, each in zip(steps.steps, kept, strict=False) if each is not None]


# ------------------------------------------------------------ in words


def _open(steps: Steps, entries: Sequence[Entry]) -> Iterator[str]:
    for entry in sorted(entries, key=order_of)[:MOST]:
        step = steps.steps[entry[STEP]]
        has = f", and has {entry[COUNT]:,} of {step.times:,}" if step.times > 1 else ""
        since, until = when(entry[DUE] - steps.within), when(entry[DUE])
        yield f"sequence: open since {since} until {until}, waits for `{step.name}`{has}"
    if len(entries) > MOST:
        more = f"sequence: {len(entries) - MOST:,} more are open"
        full = len(entries) >= LIMITS.matches
        yield f"{more}; {LIMITS.matches:,} are all that may be: the first that opened goes" if full else more


def _waits(steps: Steps, entry: Entry) -> str:
    return f"a match waits for `{steps.steps[entry[STEP]].name}` until {when(entry[DUE])}"


def _takes(steps: Steps, entry: Entry) -> str:
    step: Step = steps.steps[entry[STEP]]
    left = step.times - entry[COUNT]
    events = "an event that fits" if left == 1 else f"{left:,} events that fit"
    return f"{events} `{step.name}` until {when(entry[DUE])}"
