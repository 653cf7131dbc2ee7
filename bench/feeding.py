"""The embedded loop with the feeder of query tables behind it, in a thread of the same process as in a server."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from threading import Event, Thread

from bench.contestants import Round
from bench.engine import Engine
from bench.server import log_url
from bench.workload import processor
from orchestrator.wiring import tables
from projections.feeder import Feeder
from projections.stores.sqlite.store import QueryStore
from projections.table import CommandRow
from streams.worker import RULES

LONGEST = 120.0


class Fed(Engine):
    """A round is the time to the last commit; `behind` in its `more` the seconds from there until all is shown. The
    fields of `index` are indexed."""

    def __init__(self, folder: str, keys: int, events: int, index: Sequence[str] = ()) -> None:
        self._feeder: Feeder | None = None
        super().__init__(log_url(Path(folder)), keys, 2 * keys, events, warm=True)
        shown = [replace(table, index=tuple(index)) for table in tables(processor())]
        self._store = QueryStore(Path(folder, "query.db"), self.log.info, shown, notice=print)
        self._failures: list[Exception] = []
        self._feeder = Feeder(
            self.log, self._store, _no_delivery, monotonic=time.monotonic, failed=self._failures.append
        )
        self._stop = Event()
        self._thread = Thread(target=self._feeder.run, args=(self._stop,), daemon=True)
        self._thread.start()
        self._wait()

    def work(self) -> int:
        done = 0
        while worked := self.turn():
            done += worked
            if self._feeder is not None:
                self._feeder.notify()
        return done

    def round(self) -> Round:
        done, took, _ = super().round()
        began = time.perf_counter()
        self._wait()
        return Round(done, took, {"behind": time.perf_counter() - began})

    def _wait(self) -> None:
        deadline = time.monotonic() + LONGEST
        while self._store.position(0, RULES) < self.log.position(0, RULES):
            if self._failures or time.monotonic() > deadline:
                raise TimeoutError(f"query tables are behind after {LONGEST:.0f} s: {self._failures}")
            time.sleep(0.005)

    def close(self) -> None:
        self._stop.set()
        if self._feeder is not None:
            self._feeder.notify()
        self._thread.join()
        self._store.close()
        super().close()


def _no_delivery(name: str, value: bytes) -> CommandRow | None:
    raise AssertionError(f"nobody delivers here, but there is `{name}`")
