"""What commands are delivered to: a webhook in a thread of the test, which outlives every server that calls it."""

from __future__ import annotations

import asyncio
import json
import random
import threading
from collections import Counter
from typing import Any

from aiohttp import web

REFUSED = 0.01
"""Share of the deliveries that are answered with 503 although they arrived, as a failing proxy would."""


TARGETS = """
targets:
  {name}:
    kind: webhook
    url: http://127.0.0.1:{port}/penalties
    allow: [127.0.0.1/32]
    retry: {{initial: 100ms, attempts: {attempts}}}
"""


class Receiver:
    """`pause`: seconds that an answer takes, on average. Runs until `close`."""

    def __init__(self, chance: random.Random, pause: float) -> None:
        self.pause = pause
        self.seen: Counter[str] = Counter()
        self.bodies: dict[str, dict[str, Any]] = {}
        self.acknowledged: set[str] = set()
        """Ids that a 2xx was sent for. Whoever was to read it may have been dead by then."""
        self.port = 0
        self._chance = chance
        self._started = threading.Event()
        self._stop: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=asyncio.run, args=(self._serve(),), name="receiver")
        self._thread.start()
        assert self._started.wait(10)

    def targets(self, name: str, attempts: int) -> str:
        """A file of targets in which this is the one of that name."""
        return TARGETS.format(name=name, port=self.port, attempts=attempts)

    def close(self) -> None:
        assert self._loop is not None
        assert self._stop is not None
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)
        assert not self._thread.is_alive()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        app = web.Application()
        app.router.add_post("/penalties", self._penalty)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.port = runner.addresses[0][1]
        self._started.set()
        await self._stop.wait()
        await runner.cleanup()

    async def _penalty(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        id = request.headers["webhook-id"]
        self.seen[id] += 1
        command = json.loads(body)
        assert self.bodies.setdefault(id, command) == command, "two bodies for one id"
        if self.pause:
            await asyncio.sleep(self._chance.uniform(0, 2 * self.pause))
        if self._chance.random() < REFUSED:
            return web.Response(status=503)
        response = web.Response(status=204)
        try:
            await response.prepare(request)
            await response.write_eof()
        except ConnectionError:
            return response  # its server was killed meanwhile
        self.acknowledged.add(id)
        return response
