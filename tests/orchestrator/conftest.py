"""Commands that tests call in this process configure the logs of the process, for an output that is gone afterwards."""

import logging
from collections.abc import Iterator

import pytest
import structlog


@pytest.fixture(autouse=True)
def logs_as_they_were() -> Iterator[None]:
    root, server = logging.getLogger(), logging.getLogger("aiohttp.server")
    before = (root.handlers[:], root.level, server.filters[:])
    yield
    root.handlers[:], root.level, server.filters[:] = before
    structlog.reset_defaults()
