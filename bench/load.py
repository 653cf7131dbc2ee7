"""Load over HTTP: requests that are made beforehand, sent over connections that stay open.

A protocol on bare sockets that reads of an answer only the status and the length: about 20 µs a request, so that a
server in Python is busy long before it is. `saturate` keeps every connection waiting for one answer; `offer` sends at
times that are fixed beforehand and never waits for answers, so a slow answer delays no other request.
"""

from __future__ import annotations

import asyncio
import re
import selectors
import time
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, NamedTuple
from urllib.parse import urlsplit

_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
LONGEST = 600.0
"""Seconds that a load may take."""


class Load(NamedTuple):
    seconds: float
    busy: float
    """The share of that time for which this process had the CPU."""


def request(path: str, body: bytes) -> bytes:
    head = (f"POST {path} HTTP/1.1", "Host: bench", "Content-Type: application/json", f"Content-Length: {len(body)}")
    return "\r\n".join((*head, "", "")).encode() + body


def asked(path: str) -> bytes:
    """A request without a body."""
    return f"GET {path} HTTP/1.1\r\nHost: bench\r\n\r\n".encode()


class _Connection(asyncio.Protocol):
    def __init__(self, answered: Callable[[_Connection], None], failed: Callable[[Exception], None]) -> None:
        self._answered = answered
        self._failed = failed
        self._buffer = b""
        self.lost = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self.transport = transport
        self.send = transport.write

    def data_received(self, data: bytes) -> None:
        self._buffer = buffer = self._buffer + data
        end = buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        length = _LENGTH.search(buffer, 0, end)
        if length is None or buffer[9:10] != b"2":
            self._failed(ConnectionError(f"the server answered {buffer[:400]!r}"))
        elif len(buffer) >= end + 4 + int(length[1]):
            self._buffer = b""
            self._answered(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.set()
        self._failed(ConnectionError("the server closed a connection"))


class Generator:
    """Connections to one server. Call its methods one after another."""

    def __init__(self, address: str, connections: int) -> None:
        # select, because its time limit is in microseconds: epoll's is in milliseconds, which would delay `offer`.
        self._loop = asyncio.SelectorEventLoop(selectors.SelectSelector())
        self._address = address
        self._count = connections
        self._all: list[_Connection] = []
        self._free: deque[_Connection] = deque()
        self._waiting: deque[bytes] = deque()
        self._left = 0
        self._end = self._loop.create_future()
        self._loop.run_until_complete(self._open())

    async def _open(self) -> None:
        parts = urlsplit(self._address)
        assert parts.hostname is not None
        assert parts.port is not None
        for _ in range(self._count):
            _, connection = await self._loop.create_connection(
                lambda: _Connection(self._answered, self._fail), parts.hostname, parts.port
            )
            self._all.append(connection)
        self._free.extend(self._all)

    def saturate(self, requests: Sequence[bytes]) -> Load:
        """Sends all, each connection its next when its last was answered, and waits for all answers."""
        return self._loop.run_until_complete(self._run(self._push(requests), len(requests)))

    def offer(self, requests: Sequence[bytes], rate: float) -> tuple[list[float], Load]:
        """Sends `rate` requests a second and waits for all answers. For each request the moment, by the monotonic
        clock, when it was due: if all connections are in use it waits, and that is the server's delay."""
        due = [0.0] * len(requests)
        return due, self._loop.run_until_complete(self._run(self._pace(requests, rate, due), len(requests)))

    def close(self) -> None:
        self._left = 0
        self._loop.run_until_complete(self._abort())
        self._loop.close()

    async def _abort(self) -> None:
        for connection in self._all:
            connection.transport.abort()
        await asyncio.gather(*(connection.lost.wait() for connection in self._all))

    async def _run(self, sending: Coroutine[Any, Any, None], count: int) -> Load:
        self._left = count
        self._end = self._loop.create_future()
        began, cpu = time.perf_counter(), time.process_time()
        async with asyncio.timeout(LONGEST):
            await sending
            await self._end
        took = time.perf_counter() - began
        return Load(took, (time.process_time() - cpu) / took)

    async def _push(self, requests: Sequence[bytes]) -> None:
        self._waiting.extend(requests)
        while self._waiting and self._free:
            self._free.popleft().send(self._waiting.popleft())

    async def _pace(self, requests: Sequence[bytes], rate: float, due: list[float]) -> None:
        began = time.monotonic() + 0.01
        for number, body in enumerate(requests):
            due[number] = at = began + number / rate
            if (left := at - time.monotonic()) > 0:
                await asyncio.sleep(left)
            if self._free and not self._waiting:
                self._free.popleft().send(body)
            else:
                self._waiting.append(body)

    def _answered(self, connection: _Connection) -> None:
        if self._waiting:
            connection.send(self._waiting.popleft())
        else:
            self._free.append(connection)
        self._left -= 1
        if not self._left:
            self._end.set_result(None)

    def _fail(self, error: Exception) -> None:
        if self._left > 0 and not self._end.done():
            self._end.set_exception(error)
