"""The oracle after the same log: what a naive reading of RULES.md makes of the events of one partition."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from rules.node_id import route_id
from rules.ruleset import RuleSet
from streams.event import FORWARDED, TICK, Event, Forwarded
from tests.oracle.naive import Oracle


def ways(rules: RuleSet) -> dict[str, Any]:
    """Route id → `by`, as `partition.plain` wants it."""
    listeners = [*rules.rules, *rules.projections.values()]
    return {"": "", **{route_id(each.by): "event.subject" if each.by is None else each.by.text for each in listeners}}


def told(rules: RuleSet, log: Iterable[Event]) -> Oracle:
    oracle = Oracle(rules)
    bys = {route_id(each.by): each.by for each in [*rules.rules, *rules.projections.values()]}
    for event in log:
        if event.type == TICK:
            oracle.tick(event.time)
        elif event.type == FORWARDED:
            sent = forwarded(event)
            oracle.forwarded(bys.get(sent.route), event.key, sent.event, sent.route == "")
        else:
            oracle.own(event)
    return oracle


def forwarded(event: Event) -> Forwarded:
    """What a control event `orchestrator.forwarded` carries."""
    return msgspec.json.decode(event.data, type=Forwarded)
