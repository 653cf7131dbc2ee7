"""How the gates of targets stand, as any process can read it from what delivery stores."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import msgspec

from adapters.breaker import CLOSED, Switch
from adapters.gates import BREAKER, PAUSED, Pause
from adapters.ledger import DELIVERY
from streams.log import Log


@dataclass(frozen=True, slots=True)
class GateLook:
    """Times in microseconds since 1970."""

    state: Literal["closed", "open", "half_open"]
    """Of the breaker."""
    since: int = 0
    """When that began; 0 for always."""
    until: int = 0
    """When a half-open try is made, where it is open."""
    reason: str = ""
    """Of the attempt that opened it."""
    paused: Pause | None = None
    """The newest, if any partition is paused."""


def look(log: Log, targets: Iterable[str], now: int) -> dict[str, GateLook]:
    """By target; of what partitions know, the newest."""
    names = list(targets)
    switches, pauses = dict.fromkeys(names, CLOSED), dict[str, Pause]()
    rows = [f"{kind}{name}" for kind in (BREAKER, PAUSED) for name in names]
    for partition in range(log.info.partitions):
        for row, value in log.rows(partition, DELIVERY, rows).items():
            if row.startswith(BREAKER):
                name, switch = row.removeprefix(BREAKER), msgspec.json.decode(value, type=Switch)
                switches[name] = max(switches[name], switch, key=lambda each: each.at)
            else:
                name, pause = row.removeprefix(PAUSED), msgspec.json.decode(value, type=Pause)
                pauses[name] = max(pauses.get(name, pause), pause, key=lambda each: each.at)
    return {name: _look(switches[name], pauses.get(name), now) for name in names}


def _look(switch: Switch, pause: Pause | None, now: int) -> GateLook:
    if not switch.open:
        return GateLook("closed", switch.at, paused=pause)
    if now < switch.until:
        return GateLook("open", switch.at, switch.until, switch.reason, pause)
    return GateLook("half_open", switch.until, 0, switch.reason, pause)
