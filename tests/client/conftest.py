"""A server that is told what to say, and a client of either kind."""

from collections.abc import Iterator

import pytest

from orchestrator_client import Retry
from tests.client.either import Either, Kind
from tests.client.speaking import Speaking, takes


@pytest.fixture
def server() -> Iterator[Speaking]:
    made = Speaking(takes)
    yield made
    made.close()


@pytest.fixture(params=["sync", "async"])
def kind(request: pytest.FixtureRequest) -> Iterator[Kind]:
    made = Kind(request.param)
    yield made
    made.close()


@pytest.fixture
def client(kind: Kind, server: Speaking) -> Either:
    return kind.client(server.url, retry=Retry(within=5.0, first=0.01))
