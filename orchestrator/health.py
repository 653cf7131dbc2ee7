"""What is wrong, in words: every part of the process reports its failures here, and none is swallowed.

`failed` may be called from any thread; it counts, logs and remembers. `problems` is what `/health` answers: failures of
the last minute, and what the checks of other parts find now.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final, NamedTuple

import structlog

from orchestrator.failure_fields import fields

RECENT: Final = 60.0
"""Seconds for which a failure is shown that may have been mended since."""


class _Failure(NamedTuple):
    at: float
    text: str


class Health:
    """`count` is told the part of each failure (metrics). `monotonic` in seconds."""

    def __init__(self, monotonic: Callable[[], float], count: Callable[[str], None]) -> None:
        self._monotonic = monotonic
        self._count = count
        self._lock = threading.Lock()
        self._failures: dict[str, _Failure] = {}
        self._logged: dict[str, float] = {}
        self._checks: list[Callable[[], list[str]]] = []
        self._logger = structlog.get_logger()

    def add_check(self, check: Callable[[], list[str]]) -> None:
        """`check` says what is wrong now. Quick; called on the event loop."""
        self._checks.append(check)

    def failed(self, where: str, error: BaseException) -> None:
        """Something went wrong there, and it goes on. The first word of `where` is the part."""
        self._logger.error("failed", **fields(where), error=f"{type(error).__name__}: {error}", exc_info=error)
        self.noted(where, error)

    def noted(self, where: str, error: BaseException) -> None:
        """As `failed`, for what was logged already."""
        part = where.split(" ", 1)[0]
        with self._lock:
            self._failures[part] = _Failure(self._monotonic(), f"{where}: {type(error).__name__}: {error}")
        self._count(part)

    def repeated(self, where: str, error: BaseException) -> None:
        """As `failed`, for what comes with every request while it lasts: logged once in a while."""
        if self._monotonic() - self._logged.get(where, -RECENT) >= RECENT:
            self._logged[where] = self._monotonic()
            self.failed(where, error)
        else:
            self.noted(where, error)

    def problems(self) -> list[str]:
        with self._lock:
            now = self._monotonic()
            found = [failure.text for failure in self._failures.values() if now - failure.at < RECENT]
        for check in self._checks:
            found += check()
        return found
