"""A part of the server that lives in a thread of its own: the agent, the feeder.

A thread that ends before it was told to has failed: `failure` says why, the shell shows it in `/health`, counts it and
starts the part again after a pause that doubles.
"""

from __future__ import annotations

import threading
from collections.abc import Callable


class Part:
    """`run(stop)` works until `stop` is set. Pauses in seconds."""

    def __init__(
        self,
        name: str,
        run: Callable[[threading.Event], None],
        *,
        failed: Callable[[str, BaseException], None],
        first_pause: float = 0.2,
        longest_pause: float = 10.0,
    ) -> None:
        self.name = name
        self.failure = ""
        """Why it is not working now; "" if it is."""
        self._run = run
        self._failed = failed
        self._first_pause = first_pause
        self._longest_pause = longest_pause
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._live, name=name, daemon=True)

    @property
    def started(self) -> bool:
        return self._thread.ident is not None

    def start(self) -> None:
        self._thread.start()

    def ask_to_stop(self) -> None:
        self._stop.set()

    def join(self, timeout: float) -> bool:
        """Whether it ended in time."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _live(self) -> None:
        pause = self._first_pause
        while not self._stop.is_set():
            try:
                self.failure = ""
                self._run(self._stop)
            except BaseException as error:  # a thread has nobody above it
                self.failure = f"{type(error).__name__}: {error}"
                self._tell(error)
                self._stop.wait(pause)
                pause = min(pause * 2, self._longest_pause)

    def _tell(self, error: BaseException) -> None:
        """A report that cannot be given ends no part: `failure` says it still."""
        try:
            self._failed(self.name, error)
        except Exception as untold:
            self.failure += f" (which could not be logged: {untold})"
