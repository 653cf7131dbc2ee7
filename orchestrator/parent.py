"""What a worker knows of its parent, which is at the other end of its standard input.

The parent writes what is wrong with the workers, one JSON list a line, so that whichever of them answers `/health` can
say it; and how much is logged, as an object. Where the input ends, the parent is gone, killed perhaps: the worker stops
in order, because nobody is left who would, and its leases shall not be held by an orphan. A thread of its own sees it,
even where the event loop hangs.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, Final

import orjson
import structlog

from orchestrator.settings import LogLevel

STDIN: Final = 0
STOP_WITHIN: Final = 75.0
"""Seconds that a worker has to stop in order, a little more than its parts take at most."""


class Parent:
    """One that is not watched says nothing."""

    def __init__(self, stop_within: float = STOP_WITHIN) -> None:
        self._stop_within = stop_within
        self._problems: list[str] = []
        self._lock = threading.Lock()
        self._level: tuple[LogLevel, float | None] | None = None
        self._levels: Callable[[LogLevel, float | None], object] | None = None

    def problems(self) -> list[str]:
        """What it said last, of all workers."""
        return self._problems

    def heed(self, levels: Callable[[LogLevel, float | None], object]) -> None:
        """`levels` is told what it said of the log level, and says from now on, in a thread."""
        with self._lock:
            self._levels = levels
            if self._level is not None:
                levels(*self._level)

    def ask(self, level: LogLevel, until: float | None) -> None:
        """For this log level on all workers."""
        sys.stdout.write(orjson.dumps({"log_level": level, "until": until}).decode() + "\n")
        sys.stdout.flush()

    def watch(self) -> None:
        """From now on, until the process ends. The standard input is the parent's then."""
        threading.Thread(target=self._listen, name="parent", daemon=True).start()

    def _listen(self) -> None:
        # Not sys.stdin, whose lock a thread that waits would still hold when the interpreter ends.
        rest = b""
        while some := os.read(STDIN, 1 << 16):
            *lines, rest = (rest + some).split(b"\n")
            for line in lines:
                self._heard(orjson.loads(line))
        structlog.get_logger().error("the parent is gone; stopping")
        main = threading.main_thread().ident
        assert main is not None
        # In a worker that stops already, this ends it at once: its parent was killed while it waited.
        signal.pthread_kill(main, signal.SIGTERM)
        time.sleep(self._stop_within)
        os.kill(os.getpid(), signal.SIGKILL)

    def _heard(self, said: Any) -> None:
        if isinstance(said, list):
            self._problems = said
            return
        with self._lock:
            self._level = said["log_level"], said["until"]
            if self._levels is not None:
                self._levels(*self._level)
