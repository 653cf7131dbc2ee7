"""Fixtures: each test of the suite runs once for every backend."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from streams.backends.limits import LogLimits
from streams.log import Log
from tests.conformance.backends import BACKENDS, SMALL, Backend, Clock

Opener = Callable[..., Log]


@pytest.fixture(params=BACKENDS, ids=lambda backend: backend.name)
def backend(request: pytest.FixtureRequest) -> Backend:
    found: Backend = request.param
    return found


@pytest.fixture
def persistent(backend: Backend) -> Backend:
    if not backend.persistent:
        pytest.skip("what is in memory ends with it")
    return backend


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def opened(backend: Backend, clock: Clock, tmp_path: Path) -> Iterator[Opener]:
    """Opens the log of this test, as often as called; all are closed in the end."""
    logs: list[Log] = []

    def open_again(limits: LogLimits = SMALL, partitions: int = 3) -> Log:
        logs.append(backend.open(tmp_path, clock, limits=limits, partitions=partitions))
        return logs[-1]

    yield open_again
    for log in logs:
        log.close()


@pytest.fixture
def log(opened: Opener) -> Log:
    return opened()
