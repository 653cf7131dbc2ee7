"""Crowds of connections that want nothing, or never read: memory is bounded, others are served, places come free again.

The server is a process of its own. What it waits for is shortened, and its system buffers are small, so that a reader
who takes nothing is noticed after kilobytes and not megabytes.
"""

import asyncio
import json
import logging
import os
import re
import resource
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import pytest
from aiohttp import ClientSession, ClientTimeout

from tests.crash.processes import ServerProcess, serving
from tests.crash.producer import body, key

PROGRAM: Final = """
import socket
from orchestrator import listening, server
from orchestrator.api import sse
from orchestrator.cli import main
bound = listening._bound
def small(*args):
    made = bound(*args)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16384)
    return made
listening._bound, sse.LONGEST, server.KEEP_ALIVE = small, 3.0, 4.0
main()
"""
RULES: Final = """
ruleset: crowd
projections:
  totals:
    fold:
      paid: {count: "(has(row.count) ? row.count : 0) + 1"}
rules: {}
"""
_log = logging.getLogger(__name__)
MANY: Final = 1_000
STREAM: Final = 256 << 10
"""Bytes that a stream may cost whose reader takes nothing."""
IDLE: Final = 32 << 10
FOLLOW: Final = b"GET /v1/events%s HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8 * MANY), hard))
    folder = tmp_path_factory.mktemp("crowds")
    program = [sys.executable, "-c", PROGRAM]
    try:
        with serving(folder, RULES, program=program, ORCHESTRATOR_STREAMS=str(MANY)) as running:
            yield running
            assert running.end(signal.SIGTERM) == 0
            assert running.said() == ""
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture
async def http(server: ServerProcess) -> AsyncIterator[ClientSession]:
    async with ClientSession(server.url, timeout=ClientTimeout(total=30)) as session:
        yield session


class Crowd:
    """Sockets that send and never read."""

    def __init__(self, server: ServerProcess) -> None:
        parts = urlsplit(server.url)
        self._address = (parts.hostname, parts.port)
        self.sockets: list[socket.socket] = []

    async def connect(self, count: int, sent: bytes = b"") -> None:
        for number in range(count):
            one = socket.socket()
            self.sockets.append(one)
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            one.setblocking(False)
            await asyncio.get_running_loop().sock_connect(one, self._address)
            one.send(sent)
            if number % 50 == 49:
                await asyncio.sleep(0.01)

    async def begun(self) -> None:
        """Waits until each has something to read, and leaves it there."""
        for one in self.sockets:
            await until(lambda one=one: _there(one), "no answer")

    def open(self) -> int:
        """How many the server has not closed. Takes what is there."""
        return sum(not _closed(one) for one in self.sockets)

    def close(self) -> None:
        for one in self.sockets:
            one.close()


def _closed(one: socket.socket) -> bool:
    try:
        while one.recv(1 << 20):
            pass
        return True
    except BlockingIOError:
        return False
    except OSError:
        return True


def _there(one: socket.socket) -> bool:
    try:
        return bool(one.recv(1, socket.MSG_PEEK))
    except BlockingIOError:
        return False


async def until(done: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 30
    while not done():
        assert time.monotonic() < deadline, what
        await asyncio.sleep(0.02)


def memory(server: ServerProcess) -> int:
    """Bytes that are resident."""
    found = re.search(r"VmRSS:\s*(\d+) kB", Path(f"/proc/{server.process.pid}/status").read_text())
    assert found is not None
    return int(found[1]) << 10


def files(server: ServerProcess) -> int:
    """That it has open, connections among them."""
    return len(os.listdir(f"/proc/{server.process.pid}/fd"))


async def publish(http: ClientSession, start: int, count: int, padding: int = 0) -> float:
    """Seconds until all of it is decided."""
    began = time.monotonic()
    last: dict[str, str] = {}
    for first in range(start, start + count, 500):
        content = body(range(first, min(first + 500, start + count)), padding)
        async with http.post("/v1/events", data=content, headers={"Content-Type": "application/json"}) as answer:
            assert answer.status == 202, await answer.text()
            for position in (await answer.json())["positions"]:
                last[position.split(".")[1]] = position
    query = {"min_position": ",".join(last.values())}
    async with http.get("/v1/projections/totals", params=query, headers={"Prefer": "wait=25"}) as answer:
        assert answer.status == 200, await answer.text()
    return time.monotonic() - began


async def status_of_one_more(http: ClientSession) -> int:
    async with http.get("/v1/events", headers={"Accept": "text/event-stream"}) as answer:
        return answer.status


@asynccontextmanager
async def answered(http: ClientSession) -> AsyncIterator[list[float]]:
    """While the block runs: how long each of many small requests took."""
    took: list[float] = []

    async def ask() -> None:
        while True:
            began = time.monotonic()
            async with http.get(f"/v1/projections/totals/{key(1)}") as answer:
                assert answer.status in (200, 404)
            took.append(time.monotonic() - began)
            await asyncio.sleep(0.05)

    asking = asyncio.create_task(ask())
    try:
        yield took
    finally:
        assert not asking.done() or asking.exception() is None
        asking.cancel()


@pytest.mark.slow
async def test_a_thousand_readers_that_never_read_and_a_thousand_idle_ones_cost_little_and_are_cut_off(
    server: ServerProcess, http: ClientSession
) -> None:
    await publish(http, 0, 2_000, 1_000)
    before, held = memory(server), files(server)
    with closing(Crowd(server)) as readers, closing(Crowd(server)) as idle:
        await idle.connect(MANY)
        await readers.connect(MANY, FOLLOW % b"")
        await readers.begun()
        assert await status_of_one_more(http) == 503
        async with answered(http) as took:
            seconds = await publish(http, 2_000, 2_000, 1_000)
            most = [memory(server)]

            def cut_off() -> bool:
                """Looking at a reader's socket would be reading."""
                most.append(memory(server))
                return files(server) < held + 50

            await until(cut_off, "they are not cut off")
            grown = max(most) - before
            _log.warning("%d MB more; %.1f s for 2,000 events", grown >> 20, seconds)
            assert grown < MANY * (STREAM + IDLE)
        _log.warning("slowest other request: %.2f s", max(took))
        assert max(took) < 5
        assert await status_of_one_more(http) == 200
    assert await publish(http, 4_000, 500) < 10


async def test_hundreds_of_filters_do_not_hold_up_the_events_they_look_at(
    server: ServerProcess, http: ClientSession
) -> None:
    alone = await publish(http, 10_000, 10_000)
    filters = 300
    with closing(Crowd(server)) as readers:
        for number in range(filters):
            await readers.connect(1, FOLLOW % f"?subject=none-{number}".encode())
        await readers.connect(1, FOLLOW % f"?subject={key(7)}".encode())
        await readers.begun()
        async with answered(http) as took:
            watched = await publish(http, 20_000, 10_000)
        _log.warning("alone %.2f s, watched %.2f s, slowest other request %.2f s", alone, watched, max(took))
        assert watched < 3 * alone + 2
        text = bytearray()

        def all_came() -> bool:
            with suppress(BlockingIOError):
                text.extend(readers.sockets[-1].recv(1 << 20))
            return text.count(b"\nevent: event") >= len(wanted)

        wanted = [n for n in range(20_000, 30_000) if key(n) == key(7)]
        await until(all_came, "the one that takes some has not got them")
        found = [
            json.loads(line[6:])["data"]["n"] for line in bytes(text).splitlines() if line.startswith(b'data: {"pos')
        ]
        assert found == wanted
        assert readers.open() == filters + 1


async def test_a_thousand_heads_that_never_end_are_cut_off_and_others_are_answered(
    server: ServerProcess, http: ClientSession
) -> None:
    before = memory(server)
    with closing(Crowd(server)) as slow:
        await slow.connect(MANY, b"GET /health HTTP/1.1\r\nHost: x\r\nX: ")
        async with asyncio.timeout(20), answered(http) as took:
            while slow.open():
                for one in slow.sockets:
                    if not _closed(one):
                        one.send(b"y")
                await asyncio.sleep(0.5)
        assert took
        assert max(took) < 5
    assert memory(server) - before < MANY * IDLE
