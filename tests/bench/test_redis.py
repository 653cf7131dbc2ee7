"""Floor and peer on Redis do the engine's work: they decide and keep the same, so their time may be compared."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bench.engine import Engine
from bench.redis_floor import RedisFloor
from bench.redis_peer import STREAM, RedisPeer
from bench.redis_server import RedisServer, started
from streams.outputs import Command
from streams.state import decode_cell

KEYS = 40
EVENTS = 1_500


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    with started(tmp_path, pinned=False) as found:
        yield found


@pytest.fixture
def engine() -> Iterator[Engine]:
    """After two rounds."""
    made = Engine("memory://", keys=KEYS, cached=2 * KEYS, events=EVENTS, warm=True)
    assert made.round().done + made.round().done == 2 * EVENTS
    yield made
    made.close()


def decided(engine: Engine) -> list[Command]:
    _, outputs = engine.log.outputs(0, 0, 10_000)
    found = [output for output in outputs if isinstance(output, Command)]
    assert len(found) > 50
    return found


def rows(engine: Engine) -> dict[str, dict[str, Any]]:
    """By key, with the key's clock as the floor has it."""
    found = {}
    for name, value in engine.log.scan(0, "rules", "k", "", 1_000):
        cell = decode_cell(value)
        (row,) = cell.rows.values()
        found[name[1:]] = {**row, "clock": cell.clock}
    assert len(found) == KEYS
    return found


def test_the_floor_decides_and_keeps_what_the_engine_does(server: RedisServer, engine: Engine) -> None:
    floor = RedisFloor(server.port, KEYS, EVENTS, pinned=False)
    assert floor.round().done + floor.round().done == 2 * EVENTS
    commands = decided(engine)
    assert [each["id"] for each in floor.commands()] == [each.id for each in commands]
    assert [each["args"] for each in floor.commands()] == [each.args for each in commands]
    for key, row in rows(engine).items():
        assert floor.stored(key) == row
    floor.close()


def test_the_floors_commits_are_fenced(server: RedisServer) -> None:
    floor = RedisFloor(server.port, KEYS, EVENTS, pinned=False)
    floor.round()
    with server.client() as client:
        client.hincrby("{floor:0}:meta", "epoch", 1)
    with pytest.raises(AssertionError, match="fenced"):
        floor.round()
    floor.close()


def test_the_peer_decides_and_keeps_what_the_engine_does(server: RedisServer, engine: Engine) -> None:
    peer = RedisPeer(server.port, KEYS, EVENTS, pinned=False)
    assert peer.round().done + peer.round().done == 2 * EVENTS
    commands = decided(engine)
    assert [(each["id"], each["args"]) for each in peer.commands()] == [(each.id, each.args) for each in commands]
    for key, row in rows(engine).items():
        assert peer.stored(key) == {name: value for name, value in row.items() if name != "clock"}
    peer.close()
    with server.client() as client:
        pending: Any = client.xpending(STREAM, "rules")
    assert pending["pending"] == 0


def test_the_server_ends_with_the_job_that_started_it(tmp_path: Path) -> None:
    with started(tmp_path, pinned=False) as server:
        assert server.client().ping()
        pid = server.pid
    assert not Path(f"/proc/{pid}").exists()
