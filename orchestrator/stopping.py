"""The signals that end a process: the first asks for an orderly end, the second ends it at once, as a crash would."""

from __future__ import annotations

import asyncio
import signal
from typing import Final

import structlog

SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)


def told_to_stop(loop: asyncio.AbstractEventLoop) -> asyncio.Event:
    """Set by the first signal; the second has the effect that the system gives it."""
    stop = asyncio.Event()

    def first(number: int) -> None:
        for each in SIGNALS:
            loop.remove_signal_handler(each)
            signal.signal(each, signal.SIG_DFL)
        structlog.get_logger().info("stopping", signal=signal.Signals(number).name, hint="again to end at once")
        stop.set()

    for number in SIGNALS:
        loop.add_signal_handler(number, first, number)
    return stop
