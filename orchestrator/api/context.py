"""What handlers need, in one frozen object that the application carries."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from adapters.target import Target
from orchestrator.appends import Appends
from orchestrator.armings import Armings
from orchestrator.asks import Asks
from orchestrator.door.door import Door
from orchestrator.imports import Imports
from orchestrator.live import Live
from orchestrator.log_level import LogLevels
from orchestrator.target_asks import TargetAsks
from projections.query import Queries
from streams.intake import Intake
from streams.log import Log
from streams.owned import PartitionView


@dataclass(frozen=True, slots=True)
class Context:
    log: Log
    appends: Appends
    imports: Imports
    live: Live
    queries: Queries
    intake: Intake
    body_bytes: int
    now: Callable[[], int]
    """Microseconds since 1970."""
    views: Callable[[], list[PartitionView]]
    asks: Asks
    targets: Mapping[str, Target]
    target_asks: TargetAsks
    armings: Armings
    door: Door
    waiting_for: Callable[[], list[str]]
    """What keeps this process from its work, in words."""
    problems: Callable[[], list[str]]
    """What is wrong, in words."""
    disarmed: Callable[[], int]
    """Since when nothing is sent until somebody confirms it, as far as this process knows; 0: that is not so."""
    stalled: Callable[[], list[str]]
    """What of it hangs, so that a restart may mend it."""
    log_levels: LogLevels
    failed: Callable[[str, BaseException], None]
    """Told of what nobody expected: where, and what."""


CONTEXT: Final[web.AppKey[Context]] = web.AppKey("context", Context)
