"""The floor of HTTP: an aiohttp server whose handlers do the least. What is published is parsed and accepted; what is
asked for is a constant of as many bytes as the path says.

`python -m bench.bare` prints its address as `orchestrator server --json` does, and ends on SIGTERM.
"""

from __future__ import annotations

import asyncio
import json
import signal

from aiohttp import web


async def publish(request: web.Request) -> web.Response:
    found = await request.json()
    events = found if isinstance(found, list) else [found]
    assert all(event["id"] for event in events)
    return web.json_response({"accepted": len(events)}, status=202)


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
