"""The oracle after the same log: what a naive reading of RULES.md makes of the events of one partition."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from rules.node_id import route_id
from rules.processor import RulesProcessor
from streams.event import COPIED, FORWARDED, TICK, Copied, Event, Forwarded
from tests.oracle.document import By
from tests.oracle.naive import Oracle
from tests.oracle.rulesets import Drawn


def bys(drawn: Drawn) -> dict[str, By]:
    """Route id → what the oracle reads in its place."""
    engine = {each.name: each for each in [*drawn.rules.rules, *drawn.rules.projections.values()]}
    listeners = [*drawn.document.rules, *drawn.document.projections]
    return {route_id(engine[each.name].by): each.by for each in listeners}


def ways(drawn: Drawn, processor: RulesProcessor) -> dict[str, str]:
    """Route id → `by`, and projection id → its name, as `partition.plain` wants it."""
    names = {id: name for name, id in processor.projection_ids.items()}
    return {"": "", **names, **{route: by.text for route, by in bys(drawn).items()}}


def told(drawn: Drawn, log: Iterable[Event], processor: RulesProcessor) -> Oracle:
    oracle = drawn.oracle()
    names = ways(drawn, processor)
    routes = bys(drawn)
    for event in log:
        if event.type == TICK:
            oracle.tick(event.time)
        elif event.type == FORWARDED:
            sent = forwarded(event)
            oracle.forwarded(routes.get(sent.route), event.key, sent.event)
        elif event.type == COPIED:
            copied = msgspec.json.decode(event.data, type=Copied)
            oracle.rows.take_copy(names[copied.projection], event.key, copied.row)
        else:
            oracle.own(event)
    return oracle


def forwarded(event: Event) -> Forwarded:
    """What a control event `orchestrator.forwarded` carries."""
    return msgspec.json.decode(event.data, type=Forwarded)
