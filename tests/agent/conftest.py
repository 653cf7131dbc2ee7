"""The logs of these tests, and the clock they are made with."""

from __future__ import annotations

import pytest

from streams.backends.limits import LogLimits
from streams.backends.open import open_log
from tests.agent.running import HOUR


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000 * HOUR

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture(params=["memory", "sqlite"])
def make_log(request, tmp_path, clock):
    opened = []

    def make(partitions: int = 4, limits: LogLimits | None = None):
        url = "memory://" if request.param == "memory" else f"sqlite:///{tmp_path}/{len(opened)}.db"
        log = open_log(url, partitions=partitions, now=clock, limits=limits)
        opened.append(log)
        return log

    yield make
    for log in opened:
        log.close()
