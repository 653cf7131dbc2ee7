"""Each test with a world runs on both logs."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from streams.backends.open import open_log
from streams.log import Log
from tests.adapters.world import World
from tests.conformance.backends import SMALL, Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["memory", "sqlite"])
def log(request: pytest.FixtureRequest, clock: Clock, tmp_path: Path) -> Iterator[Log]:
    url = "memory://" if request.param == "memory" else f"sqlite:///{tmp_path / 'log.db'}"
    log = open_log(url, partitions=3, now=clock, limits=SMALL)
    yield log
    log.close()


@pytest.fixture
def world(log: Log, clock: Clock) -> World:
    return World(log, clock)


@pytest.fixture
def make_world(log: Log, clock: Clock) -> Callable[..., World]:
    def make(**options: Any) -> World:
        return World(log, clock, **options)

    return make
