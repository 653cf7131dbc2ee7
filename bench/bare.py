"""The floor of HTTP ingest: an aiohttp server whose only handler parses the JSON and says that it was accepted.

`python -m bench.bare` prints its address as `orchestrator server --json` does, and ends on SIGTERM.
"""

from __future__ import annotations

import asyncio
import json
import signal

from aiohttp import web


async def publish(request: web.Request) -> web.Response:
    event = await request.json()
    assert event["id"]
    return web.json_response({"accepted": 1}, status=202)


async def serve() -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    app = web.Application()
    app.router.add_post("/v1/events", publish)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    print(json.dumps({"http": f"http://{host}:{port}"}), flush=True)
    await stop.wait()
    await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(serve())
