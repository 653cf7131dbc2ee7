"""The load generator counts nothing that was not answered well, and sends whatever it has to send."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from bench.load import Generator, request
from bench.server import Server, bare


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    found = bare(tmp_path)
    yield found
    found.close()


def test_all_requests_are_answered_over_few_connections(server: Server) -> None:
    requests = [request("/v1/events", b'{"id":"%d"}' % number) for number in range(50)]
    with closing(Generator(server.address, 3)) as generator:
        assert generator.saturate(requests).seconds > 0
        due, _ = generator.offer(requests, 1_000.0)
    assert [round((at - due[0]) * 1_000) for at in due] == list(range(50))


@pytest.mark.parametrize(
    ("sent", "shown"),
    [(request("/nowhere", b"{}"), "404"), (request("/v1/events", b"no JSON"), "500"), (b"nonsense\r\n\r\n", "400")],
)
def test_an_answer_that_is_no_success_ends_the_load(server: Server, sent: bytes, shown: str) -> None:
    good = request("/v1/events", b'{"id":"1"}')
    with closing(Generator(server.address, 2)) as generator, pytest.raises(ConnectionError, match=shown):
        generator.saturate([good, sent, good, good])
