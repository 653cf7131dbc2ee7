"""Questions that look at much of the log at once: few run at a time, some wait, the rest come again, others go on."""

import asyncio
import threading
from collections.abc import Sequence
from typing import Any

import pytest

from orchestrator.api import looks
from streams.backends.open import open_log
from streams.log import Batch, Log
from tests.orchestrator.serving import api, now

EVENT = {"id": "1", "source": "s", "type": "t", "subject": "A", "data": {}}


class Slow:
    """A log whose readers wait for `go`, in threads."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self.go = threading.Event()
        self.reading = 0
        self.most = 0
        self._lock = threading.Lock()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._log, name)

    def read(self, partition: int, after: int, limit: int) -> Batch:
        with self._lock:
            self.reading += 1
            self.most = max(self.most, self.reading)
        try:
            assert self.go.wait(20)
            return self._log.read(partition, after, limit)
        finally:
            with self._lock:
                self.reading -= 1


@pytest.mark.parametrize(
    ("path", "most", "what"), [("/v1/trace/A", "TRACES", "traces"), ("/v1/events", "LISTS", "lists of events")]
)
async def test_of_many_long_looks_two_run_some_wait_and_the_rest_are_told_to_come_again(
    monkeypatch: pytest.MonkeyPatch, path: str, most: str, what: str
) -> None:
    monkeypatch.setattr(looks, most, 5)
    log = open_log("memory://", partitions=3, now=now)
    slow = Slow(log)
    async with api(slow) as (client, _):  # type: ignore[arg-type]
        assert (await client.post("/v1/events", json=EVENT)).status == 202

        async def ask() -> tuple[int, Any, Sequence[str]]:
            async with client.get(path) as answer:
                return answer.status, await answer.json(), answer.headers.getall("Retry-After", [])

        asked = [asyncio.create_task(ask()) for _ in range(12)]
        refused = 0
        async with asyncio.timeout(20):
            for each in asyncio.as_completed(asked):
                status, found, later = await each
                assert (status, found["code"], later) == (503, "too-many", ["5"])
                assert f"5 {what} are under way" in found["detail"]
                refused += 1
                if refused == 7:
                    break
            assert (await client.get("/v1/projections")).status == 200, "others go on meanwhile"
            assert (await client.post("/v1/events", json=EVENT | {"id": "2"})).status == 202
        assert slow.most <= looks.AT_ONCE
        slow.go.set()
        answers = await asyncio.gather(*asked)
        assert sorted(status for status, _, _ in answers) == [200] * 5 + [503] * 7
        assert (await ask())[0] == 200, "the places are free again"
        assert slow.most == looks.AT_ONCE
    log.close()
