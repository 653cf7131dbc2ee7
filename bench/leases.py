"""Both sides of leases over HTTP: a server with its ledger, and a bare handler that parses and answers.

CONNECTIONS workers take BATCH commands each and say of all at once that they are done, and again. They read of the
answers what they need with a regular expression, so that they are never what limits. A round begins when all that it
is to do lies in the ledger, and ends with the last answer: every outcome is stored then.
"""

from __future__ import annotations

import asyncio
import re
import time
from itertools import count
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from adapters.ledger import CURSOR, DELIVERY, read_cursor
from bench.contestants import Round
from bench.server import Server, bare, log_url, orchestrator, pin, reader

BATCH = 25
CONNECTIONS = 32
TARGET = "police"
RULES = f"""
ruleset: bench
rules:
  speeding:
    on: car.measured
    then:
      - command: fine
        to: {TARGET}
        args: {{plate: "${{key}}", speed: "${{event.data.speed}}", place: "${{event.data.place}}"}}
"""
TARGETS = f"targets:\n  {TARGET}: {{kind: worker}}\n"
PAGE = 1_000
"""Events of one request."""
LONGEST = 300.0
_LEASED = re.compile(rb'"id": ?"([0-9a-f]{32})", ?"token": ?"([^"]+)"')
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_LEASE = b'{"target":"%s","limit":%d,"lease":"1m","wait":"1s","worker":"w%%d"}' % (TARGET.encode(), BATCH)


class Workers:
    """Of one server. Each has a connection that stays open."""

    def __init__(self, address: str) -> None:
        parts = urlsplit(address)
        assert parts.hostname is not None
        self._place = parts.hostname, parts.port

    async def work(self, many: int) -> tuple[int, float, float]:
        """(commands done, seconds, the share of them for which this process had the CPU), once `many` are done. Who
        waits for work then is not waited for."""
        self._many, self._done = many, 0
        self._over = asyncio.Event()
        connections = [await asyncio.open_connection(*self._place) for _ in range(CONNECTIONS)]
        began, cpu = time.perf_counter(), time.process_time()
        async with asyncio.timeout(LONGEST):
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._one(number, *each)) for number, each in enumerate(connections)]
                await self._over.wait()
                took, used = time.perf_counter() - began, time.process_time() - cpu
                for task in tasks:
                    task.cancel()
        for _, writer in connections:
            writer.close()
        return self._done, took, used / took

    async def _one(self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lease = _request(b"/v1/commands/lease", _LEASE % number)
        while not self._over.is_set():
            found = _LEASED.findall(await _ask(reader, writer, lease))
            if not found:
                continue
            said = b",".join(b'{"id":"%s","token":"%s","verdict":"done"}' % each for each in found)
            answers = await _ask(reader, writer, _request(b"/v1/commands/outcomes", b'{"outcomes":[%s]}' % said))
            settled = len(re.findall(rb'"state": ?"done"', answers))
            assert settled == len(found), answers[:400]
            self._done += settled
            if self._done >= self._many:
                self._over.set()


async def _ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> bytes:
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    length = _LENGTH.search(head)
    assert length is not None, head
    body = await reader.readexactly(int(length[1]))
    assert head[9:12] == b"200", body
    return body


def _request(path: bytes, body: bytes) -> bytes:
    head = b"POST %s HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    return head % (path, len(body)) + body


class Leasing:
    """Ours."""

    def __init__(self, folder: str, each: int) -> None:
        self._each = each
        self._numbers = count(1)
        self._server = orchestrator(Path(folder), RULES, targets=TARGETS)
        pin(-1)
        self._log = reader(log_url(Path(folder)))

    def round(self) -> Round:
        asyncio.run(self._decide())
        self._wait_taken_in()
        return _round(self._server, self._each)

    async def _decide(self) -> None:
        parts = urlsplit(self._server.address)
        connection = await asyncio.open_connection(parts.hostname, parts.port)
        left = self._each
        while left > 0:
            events = [_event(number) for number, _ in zip(self._numbers, range(min(PAGE, left)), strict=False)]
            connection[1].write(_request(b"/v1/events", msgspec.json.encode(events)))
            head = await connection[0].readuntil(b"\r\n\r\n")
            length = _LENGTH.search(head)
            assert length is not None, head
            await connection[0].readexactly(int(length[1]))
            left -= len(events)
        connection[1].close()

    def _wait_taken_in(self) -> None:
        """Until what was decided of all lies in the ledger."""
        until = time.monotonic() + LONGEST
        while not all(self._taken_in(status.partition, status.tail, status.outputs) for status in self._log.status()):
            if time.monotonic() > until:
                raise TimeoutError("not everything was taken in")
            time.sleep(0.01)

    def _taken_in(self, partition: int, tail: int, outputs: int) -> bool:
        if self._log.position(partition, "rules") < tail:
            return False
        row = self._log.rows(partition, DELIVERY, [CURSOR]).get(CURSOR)
        return outputs == (read_cursor(row) if row is not None else 0)

    def close(self) -> None:
        self._log.close()
        self._server.close()


class Bare:
    """Parses what is asked and answers as much; there is no ledger, and work never ends."""

    def __init__(self, folder: str, each: int) -> None:
        self._each = each
        self._server = bare(Path(folder))
        pin(-1)

    def round(self) -> Round:
        return _round(self._server, self._each)

    def close(self) -> None:
        self._server.close()


def _round(server: Server, many: int) -> Round:
    done, seconds, busy = asyncio.run(Workers(server.address).work(many))
    assert done >= many
    return Round(done, seconds, {"busy": busy})


def _event(number: int) -> dict[str, object]:
    return {
        "id": f"e{number}",
        "source": "bench",
        "type": "car.measured",
        "subject": f"GX-{number % 5_000}",
        "data": {"speed": 100 + number % 90, "place": "A4, km 217.3"},
    }
