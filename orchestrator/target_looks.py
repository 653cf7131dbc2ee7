"""Targets as the API, the command line and the console show them: what they bear, what is sent to them now, and what
waits for them.

Addresses and secrets are not among it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol

from adapters.gate_looks import GateLook, look
from adapters.ledger import State
from adapters.target import Target
from orchestrator.targets import UnknownTargetError, no_target
from projections.query import Queries
from streams import rfc3339
from streams.log import Log

COUNTED: Final = (State.PENDING, State.IN_FLIGHT, State.RETRYING, State.WAITING, State.PARKED)


class _Here(Protocol):
    """What of a process is needed."""

    @property
    def log(self) -> Log: ...

    @property
    def queries(self) -> Queries: ...

    @property
    def targets(self) -> Mapping[str, Target]: ...

    @property
    def now(self) -> Callable[[], int]: ...


async def shown(here: _Here) -> list[dict[str, Any]]:
    """All of them, by name."""
    return await _documents(here, sorted(here.targets.values(), key=lambda each: each.name))


async def shown_one(here: _Here, name: str) -> dict[str, Any]:
    """Raises UnknownTargetError."""
    if (target := here.targets.get(name)) is None:
        raise UnknownTargetError(no_target(name, here.targets))
    return (await _documents(here, [target]))[0]


async def _documents(here: _Here, found: Sequence[Target]) -> list[dict[str, Any]]:
    names = [each.name for each in found]
    looks, counts = await asyncio.gather(
        asyncio.to_thread(look, here.log, names, here.now()), asyncio.to_thread(counted, here.queries, names)
    )
    return [_document(each, looks[each.name]) | {"commands": counts[each.name]} for each in found]


def counted(queries: Queries, targets: Sequence[str]) -> dict[str, dict[str, int]]:
    """Target → state → how many commands, as the query tables show them."""
    return queries.count_open(targets, [each.value for each in COUNTED])


def _document(target: Target, look: GateLook) -> dict[str, Any]:
    retry, rate, breaker = target.retry, target.gate.rate, target.gate.breaker
    return {
        "name": target.name,
        "kind": target.kind,
        "deliver": "workers" if target.open is None else "here",
        "timeout": target.timeout,
        "concurrency": target.concurrency,
        "batch": target.batch,
        "retry": {
            "initial": retry.initial,
            "factor": retry.factor,
            "max": retry.max,
            "attempts": retry.attempts,
            "elapsed": retry.elapsed,
        },
        "rate": None if rate is None else {"limit": rate.limit, "per": rate.per, "burst": rate.burst},
        "breaker": {
            "state": "off" if breaker is None else look.state,
            "since": _moment(look.since),
            "until": _moment(look.until),
            "reason": look.reason or None,
        },
        "paused": None
        if look.paused is None
        else {"since": rfc3339.format(look.paused.at), "reason": look.paused.reason},
    }


def _moment(micros: int) -> str | None:
    return rfc3339.format(micros) if micros else None
