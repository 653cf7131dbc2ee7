"""What handlers need, in one frozen object that the application carries."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from aiohttp import web

from orchestrator.appends import Appends
from streams.intake import Intake
from streams.log import Log


@dataclass(frozen=True, slots=True)
class Context:
    log: Log
    appends: Appends
    intake: Intake
    body_bytes: int
    now: Callable[[], int]
    """Microseconds since 1970."""
    failed: Callable[[str, BaseException], None]
    """Told of what nobody expected: where, and what."""


CONTEXT: Final[web.AppKey[Context]] = web.AppKey("context", Context)
Handler = Callable[[web.Request], Any]
