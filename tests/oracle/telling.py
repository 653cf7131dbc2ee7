"""The oracle after the same log: what a naive reading of RULES.md makes of the events of one partition."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from rules.node_id import route_id
from streams.event import FORWARDED, TICK, Event, Forwarded
from tests.oracle.document import By
from tests.oracle.naive import Oracle
from tests.oracle.rulesets import Drawn


def bys(drawn: Drawn) -> dict[str, By]:
    """Route id → what the oracle reads in its place."""
    engine = {each.name: each for each in [*drawn.rules.rules, *drawn.rules.projections.values()]}
    listeners = [*drawn.document.rules, *drawn.document.projections]
    return {route_id(engine[each.name].by): each.by for each in listeners}


def ways(drawn: Drawn) -> dict[str, str]:
    """Route id → `by`, as `partition.plain` wants it."""
    return {"": "", **{route: by.text for route, by in bys(drawn).items()}}


def told(drawn: Drawn, log: Iterable[Event]) -> Oracle:
    oracle = Oracle(drawn.document)
    routes = bys(drawn)
    for event in log:
        if event.type == TICK:
            oracle.tick(event.time)
        elif event.type == FORWARDED:
            sent = forwarded(event)
            oracle.forwarded(routes.get(sent.route), event.key, sent.event)
        else:
            oracle.own(event)
    return oracle


def forwarded(event: Event) -> Forwarded:
    """What a control event `orchestrator.forwarded` carries."""
    return msgspec.json.decode(event.data, type=Forwarded)
