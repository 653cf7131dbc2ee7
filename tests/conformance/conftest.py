"""Fixtures: each test of the suite runs once for every backend."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from streams.backends.limits import LogLimits
from streams.log import Log
from tests.conformance.backends import BACKENDS, SMALL, Backend, Clock

Opener = Callable[..., Log]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "backend" in metafunc.fixturenames:
        local = "local" in metafunc.fixturenames
        only_persistent = local or "persistent" in metafunc.fixturenames
        chosen = [
            backend
            for backend in BACKENDS
            if (backend.persistent or not only_persistent) and not (local and backend.remote)
        ]
        metafunc.parametrize("backend", chosen, ids=lambda backend: backend.name)


@pytest.fixture
def persistent(backend: Backend) -> Backend:
    """Asked for by tests of what outlives a process: what is in memory does not."""
    return backend


@pytest.fixture
def local(backend: Backend) -> Backend:
    """Asked for by tests of what processes of one machine know of each other."""
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
