"""The floor of HTTP: an aiohttp server whose handlers do the least. What is published is parsed and accepted; work is
made up for who asks for it, and what became of it is parsed and confirmed; what else is asked for is a constant of as
many bytes as the path says.

`python -m bench.bare` prints its address as `orchestrator server --json` does, and ends on SIGTERM.
"""

from __future__ import annotations

import asyncio
import json
import signal
from itertools import count

from aiohttp import web

_NUMBERS = count(1)
_COMMAND = {
    "id": "c19b3dea4c7fb990e1d4979dac0c8a0e",
    "command": "fine",
    "to": "police",
    "rule": "speeding",
    "key": "GX-700",
    "at": "2025-05-01T12:00:00Z",
    "cause": "e1",
    "args": {"plate": "GX-700", "speed": 171, "place": "A4, km 217.3"},
}


async def publish(request: web.Request) -> web.Response:
    found = await request.json()
    events = found if isinstance(found, list) else [found]
    assert all(event["id"] for event in events)
    return web.json_response({"accepted": len(events)}, status=202)


async def lease(request: web.Request) -> web.Response:
    asked = await request.json()
    found = [
        {
            "id": f"{next(_NUMBERS):032x}",
            "token": "0100010000000100064edf2a1c9c40d3a1b2c4",
            "attempt": 1,
            "deadline": "2026-11-26T11:53:02.989072Z",
            "target": asked["target"],
            "command": _COMMAND,
            "headers": {},
            "timeout": None,
        }
        for _ in range(asked["limit"])
    ]
    return web.json_response({"commands": found})


async def settle(request: web.Request) -> web.Response:
    asked = await request.json()
    return web.json_response({"answers": [{"id": each["id"], "state": each["verdict"]} for each in asked["outcomes"]]})


async def take(request: web.Request) -> web.Response:
    await request.read()
    return web.Response(status=204)


async def constant(request: web.Request) -> web.Response:
    body = b'"' + b"x" * (int(request.match_info["size"]) - 2) + b'"'
    return web.Response(body=body, content_type="application/json")


async def serve() -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    app = web.Application()
    app.router.add_post("/v1/events", publish)
    app.router.add_post("/commands", take)
    app.router.add_post("/v1/commands/lease", lease)
    app.router.add_post("/v1/commands/outcomes", settle)
    app.router.add_get("/constant/{size}/{key}", constant)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    print(json.dumps({"http": f"http://{host}:{port}"}), flush=True)
    await stop.wait()
    await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(serve())
