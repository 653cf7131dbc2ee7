"""Rules with a window: what is in it, what its aggregates say, and what `having` made of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rules import cel
from rules.aggregates import Aggregates
from rules.cel.nodes import Name
from rules.compile.rule import CompiledRule
from rules.compile.triggers.closing import Closing
from rules.compile.triggers.looking import Looking, valued
from rules.compile.variables import UNDECODED
from rules.explain.explanation import RuleExplained
from rules.explain.meeting import Meeting
from rules.explain.outcome import Outcome, refused
from rules.explain.state import MOST, plural, remembered, when
from rules.explain.tracing import as_json, compared
from rules.model.action import templates
from rules.model.rule import Rule
from rules.model.window import Last, Sliding, Stepped, Window
from rules.nodes import summary, window_closing, window_elements
from rules.nodes.waiting import DUE, Entry
from rules.nodes.window_sliding import SlidingWindow
from rules.nodes.window_stepped import BUCKETS
from streams.event import Event

CLOSED = "the window that it belongs to is over"
OLD = "it is too old for the window"


def window(meeting: Meeting, rule: CompiledRule) -> RuleExplained:
    state = (*_held(meeting, rule), *remembered(rule.firing.node_ids, meeting.said.once_within, meeting.cell))
    outputs = len(meeting.step.outputs)
    outcome = meeting.judged(meeting.frame())
    if outcome is None:
        outcome = _looking(meeting, rule) if isinstance(rule.trigger, Looking) else _closing(meeting, rule)
    return meeting.told(outcome, state, outputs)


def _looking(meeting: Meeting, rule: CompiledRule) -> Outcome:
    trigger, said, tracing = rule.trigger, meeting.said, meeting.tracing
    assert isinstance(trigger, Looking)
    aggregates = tracing.aggregates(said)
    having = aggregates.having
    outcome: Outcome | None = None
    evaluation, cell = meeting.aside()
    frame = meeting.frame(cell)
    try:
        view = trigger.entered(evaluation, frame)
    except cel.CelEvaluationError:
        view = None  # the trigger itself says why
    if view is not None:
        tracing.lets(said, frame, type(meeting.looked)())
        frame.aggregates = valued(view, aggregates.found)
        meeting.looked.aggregates = _values(said, aggregates, frame.aggregates)
        if having is not None:
            found = tracing.look(said.name, "having", having, frame, said.let, aggregates=aggregates.asked)
            meeting.looked.comparisons += compared(having, found)
            outcome = refused(found, "having")
            if outcome is not None:
                takes = tracing.takes(said, "having", having, frame, aggregates=aggregates.asked)
                outcome = outcome._replace(takes=takes)
    watch = meeting.watch(rule.firing)
    trigger.meet(meeting.evaluation, meeting.event, meeting.key, meeting.cell, UNDECODED)
    holds = "`having` holds" if having is not None else "every event in the window is a firing"
    failed = watch.failed()
    if failed is not None and outcome is not None:
        failed = failed._replace(takes=outcome.takes)
    return failed or watch.firing(holds) or outcome or Outcome("nothing", OLD)


def _closing(meeting: Meeting, rule: CompiledRule) -> Outcome:
    trigger, said = rule.trigger, meeting.said
    assert isinstance(trigger, Closing)
    watch = meeting.watch(rule.firing)
    trigger.meet(meeting.evaluation, meeting.event, meeting.key, meeting.cell)
    failed = watch.failed()
    if failed is not None:
        return failed
    entry = _entered(meeting.cell.nodes.get(trigger.id, []), meeting.event)
    if entry is None:
        return Outcome("nothing", CLOSED)
    aggregates = meeting.tracing.aggregates(said)
    found = valued(trigger.window.so_far(entry), aggregates.found)
    meeting.looked.aggregates = _values(said, aggregates, found)
    end = when(entry[DUE])
    takes = None if said.having is None else f"{said.having.text} when the window closes"
    return Outcome("waits", f"the window closes at {end}", takes)


def _entered(entries: list[Entry], event: Event) -> Entry | None:
    """The open window that the event is in."""
    start = window_closing.START
    return next((each for each in entries if each[start] <= event.time < each[DUE]), None)


def _values(rule: Rule, aggregates: Aggregates, values: dict[str, Any]) -> dict[str, Any]:
    """What aggregates say, under the text that they are asked with."""
    texts = [] if aggregates.having is None else [(aggregates.having.text, aggregates.having.node)]
    texts += [(each.text, each.node) for action in aggregates.then for each in templates(action)]
    return {
        text[node.start : node.end]: as_json(values[node.name])
        for text, root in texts
        for node in cel.walk(root)
        if isinstance(node, Name) and node.name in values
    }


# ------------------------------------------------------------ what is held


def _held(meeting: Meeting, rule: CompiledRule) -> Iterator[str]:
    state = meeting.cell.nodes.get(rule.trigger.node_ids["window"])
    said = meeting.said.window
    if state is None or said is None:
        return
    match said:
        case Sliding():
            yield _sliding(rule, state)
        case Last():
            count = state[0] if isinstance(state[0], int) else _count(state)
            yield f"window: {plural(count, 'event', 'events')} of the last {said.count:,}"
        case Stepped():
            yield _stepped(said, state)
        case _:
            yield from _open(said, state)


def _sliding(rule: CompiledRule, state: list[Any]) -> str:
    assert isinstance(rule.trigger, Looking)
    node = rule.trigger.window
    assert isinstance(node, SlidingWindow)
    count = _count(state)
    first = node.elements.column(state, 0, 0, 1)[0]
    last = node.elements.column(state, 0, count - 1, count)[0]
    times = f"of {when(first)}" if first == last else f"from {when(first)} to {when(last)}"
    full = f"; with {node.limit:,} it is full: the oldest leave" if count >= node.limit else ""
    return f"window: {plural(count, 'event', 'events')} {times}{full}"


def _stepped(said: Stepped, state: list[Any]) -> str:
    buckets = state[BUCKETS]
    count = sum(part[summary.COUNT] for _, part in buckets)
    first, last = buckets[0][0] * said.step, (buckets[-1][0] + 1) * said.step
    events, many = plural(count, "event", "events"), plural(len(buckets), "bucket", "buckets")
    return f"window: {events} in {many} from {when(first)} to {when(last)}"


def _open(said: Window, state: list[Entry]) -> Iterator[str]:
    called = type(said).__name__.lower()
    for entry in state[:MOST]:
        count = entry[window_closing.SUMMARY][summary.COUNT]
        start = when(entry[window_closing.START])
        yield f"{called}: open since {start} with {plural(count, 'event', 'events')}, closes at {when(entry[DUE])}"
    if len(state) > MOST:
        yield f"{called}: {len(state) - MOST:,} more are open"


def _count(state: list[Any]) -> int:
    older = state[window_elements.OLDER] or ()
    newest: list[Any] = state[window_elements.FIRST]
    return len(newest) + int(sum(part[window_elements.COUNT] for part in older))
