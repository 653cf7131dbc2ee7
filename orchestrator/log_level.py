"""How much is logged: as configured, or for a while otherwise, by signal, by request, or as the parent says.

SIGUSR1 is one step more, up to debug, SIGUSR2 back to what is configured: as BIND and ntpd have it. Of several workers
the parent takes signals, and a worker that is asked over HTTP asks its parent, so that all log alike; one that is
started again hears it, too.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable
from typing import Final

import structlog

from orchestrator import logs
from orchestrator.settings import LogLevel

STEPS: Final[tuple[LogLevel, ...]] = ("error", "warning", "info", "debug")
MORE: Final = signal.SIGUSR1
BACK: Final = signal.SIGUSR2


class LogLevels:
    """On one event loop, but for what can only be read. Moments are of the wall clock, seconds since 1970."""

    def __init__(self, configured: LogLevel, ask: Callable[[LogLevel, float | None], None] | None = None) -> None:
        """`ask` tells a parent what was chosen here, which then tells all workers."""
        self.configured: LogLevel = configured
        self.level: LogLevel = configured
        self.until: float | None = None
        """When it will be as configured again; None: not by itself."""
        self.changed: Callable[[], None] = lambda: None
        """Called after each change."""
        self._ask = ask
        self._timer: asyncio.TimerHandle | None = None

    def heed(self, loop: asyncio.AbstractEventLoop) -> None:
        """The signals, from now on."""
        loop.add_signal_handler(MORE, self.more)
        loop.add_signal_handler(BACK, self.back)

    def more(self) -> None:
        self.choose(STEPS[min(STEPS.index(self.level) + 1, len(STEPS) - 1)], None)

    def back(self) -> None:
        self.choose(self.configured, None)

    def ask(self, level: LogLevel, until: float | None) -> None:
        """Of all workers; here at once."""
        self.choose(level, until)
        if self._ask is not None:
            self._ask(level, until)

    def choose(self, level: LogLevel, until: float | None) -> None:
        """Of this process."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if until is not None:
            self._timer = asyncio.get_running_loop().call_later(max(0.0, until - time.time()), self.back)
        if (level, until) == (self.level, self.until):
            return
        quieter = STEPS.index(level) < STEPS.index(self.level)
        self.level, self.until = level, until
        if not quieter:
            logs.set_level(level)
        structlog.get_logger().warning("log level", chosen=level, until=until)
        if quieter:
            logs.set_level(level)
        self.changed()


def ignore_signals() -> None:
    """Until somebody heeds them: by themselves they would end the process."""
    for number in (MORE, BACK):
        signal.signal(number, signal.SIG_IGN)
