"""Rules whose events fire at once, or open and cancel deadlines."""

from __future__ import annotations

from rules.compile.rule import CompiledRule
from rules.compile.triggers.after import After
from rules.explain.explanation import RuleExplained
from rules.explain.meeting import Meeting
from rules.explain.outcome import Outcome
from rules.explain.state import remembered, when
from rules.nodes.waiting import DUE, Entry


def plain(meeting: Meeting, rule: CompiledRule, meets: bool, cancels: bool) -> RuleExplained:
    state = tuple(remembered(rule.node_ids, meeting.said.once_within, meeting.cell))
    outputs = len(meeting.step.outputs)
    cancelled = _cancelled(meeting, rule) if cancels else 0
    if not meets:
        outcome = Outcome("nothing", "there is nothing that it cancels")
        if cancelled:
            outcome = Outcome("cancelled", f"the event cancels {cancelled:,} pending")
        return meeting.told(outcome, state, outputs)
    outcome = meeting.judged(meeting.frame()) or _met(meeting, rule)
    return meeting.told(outcome, state, outputs)


def _cancelled(meeting: Meeting, rule: CompiledRule) -> int:
    pending = len(_pending(meeting, rule))
    if pending:
        assert isinstance(rule.trigger, After)
        rule.trigger.cancel(meeting.evaluation, meeting.event, meeting.key, meeting.cell)
    return pending - len(_pending(meeting, rule))


def _pending(meeting: Meeting, rule: CompiledRule) -> list[Entry]:
    id = rule.trigger.node_ids.get("deadline")
    return [] if id is None else meeting.cell.nodes.get(id, [])


def _met(meeting: Meeting, rule: CompiledRule) -> Outcome:
    watch = meeting.watch(rule.firing)
    first = _first(meeting, rule)
    rule.trigger.meet(meeting.evaluation, meeting.event, meeting.key, meeting.cell)
    fired = "`when` holds" if rule.when is not None else "every such event is a firing"
    outcome = watch.failed() or watch.firing(fired)
    if outcome is not None:
        return outcome
    due = _first(meeting, rule)
    if due is None:
        return Outcome("nothing", "it met the event, and nothing follows yet")
    return Outcome("waits", f"deadline: due {when(due)}" if due != first else f"deadline: the first is due {when(due)}")


def _first(meeting: Meeting, rule: CompiledRule) -> int | None:
    """When the deadline that is first is due."""
    pending = _pending(meeting, rule)
    return int(pending[0][DUE]) if pending else None
