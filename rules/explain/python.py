"""Python rules: what was kept, and what the call made of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from rules.compile.rule import CompiledRule
from rules.explain.explanation import RuleExplained
from rules.explain.meeting import Meeting
from rules.explain.outcome import Outcome
from rules.python.errors import PythonRuleError

LONGEST: Final = 1_000
"""Characters of a state."""


def python(meeting: Meeting, rule: CompiledRule) -> RuleExplained:
    state = tuple(_kept(meeting, rule))
    outputs = len(meeting.step.outputs)
    outcome = meeting.judged(meeting.frame()) or _called(meeting, rule)
    return meeting.told(outcome, state, outputs)


def _called(meeting: Meeting, rule: CompiledRule) -> Outcome:
    watch = meeting.watch(rule.firing)
    try:
        rule.trigger.meet(meeting.evaluation, meeting.event, meeting.key, meeting.cell)
    except PythonRuleError as error:
        return Outcome("not evaluated", f"{error}: the event is parked")
    outcome = watch.failed() or watch.firing("the function returned actions")
    return outcome or Outcome("nothing", "the function returned no action")


def _kept(meeting: Meeting, rule: CompiledRule) -> Iterator[str]:
    for id in rule.trigger.node_ids.values():
        packed = meeting.cell.nodes.get(id)
        if packed is not None:
            text = msgspec.json.encode(msgspec.msgpack.decode(packed)).decode()
            yield f"state: {text if len(text) <= LONGEST else text[: LONGEST - 1] + '…'}"
