"""`make demo`: 34,724 real events in, 4,635 penalties out, delivered to a receiver, counted and checked.

It starts the real server on an embedded log of its own, imports the file over HTTP with the command that users have,
lets the webhook adapter deliver to a small receiver in this process, and compares what arrived with what is known of
the data (README.md). Exit status 0 means that all of it was right. Everything lies in `.orchestrator/demo`, where
`make run` finds it afterwards. `make demo BACKEND=redis` does the same on a Redis server that it starts and stops, with
two servers that share the work.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
HOME = ROOT / ".orchestrator" / "demo"
LOG = "sqlite:///.orchestrator/demo/log.db"
REDIS = ROOT / "tests" / "services" / "redis"
ORCHESTRATOR = Path(sys.executable).with_name("orchestrator")
PENALTIES = 4635
UNTIL = "2012-03-26T00:00:00Z"
TARGETS = """\
targets:
  police:
    kind: webhook
    url: http://127.0.0.1:{port}/penalties
    allow: [127.0.0.1/32]
"""


class DemoFailed(Exception):
    """What was promised did not happen; the text says what."""


class Receiver:
    """What the police would run: takes penalties, and remembers which it has seen."""

    def __init__(self) -> None:
        self.seen: Counter[str] = Counter()
        self.penalties: dict[str, tuple[str, Any]] = {}
        self._runner = web.AppRunner(self._app(), access_log=None)
        self.port = 0

    def _app(self) -> web.Application:
        app = web.Application()
        app.router.add_post("/penalties", self._penalty)
        return app

    async def _penalty(self, request: web.Request) -> web.Response:
        command = json.loads(await request.read())
        self.seen[request.headers["webhook-id"]] += 1
        self.penalties[command["args"]["fine"]] = (command["at"], command["args"]["amount"])
        return web.Response(status=204)

    async def start(self) -> None:
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        await self._runner.cleanup()


def start_redis() -> str:
    """A log on a Redis server of its own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = ["bash", REDIS, "start", "--dir", HOME / "redis", "--port", str(port)]
    if subprocess.run(command, stdout=subprocess.DEVNULL, timeout=300).returncode:
        raise DemoFailed("no Redis server could be started: see above")
    return f"redis://127.0.0.1:{port}/0?name=demo"


def stop_redis() -> None:
    subprocess.run(["bash", REDIS, "stop", "--dir", HOME / "redis"], check=True, timeout=60)


async def start_server(log: str) -> tuple[asyncio.subprocess.Process, str]:
    """The server and its address."""
    server = await asyncio.create_subprocess_exec(
        ORCHESTRATOR,
        *("server", "--log", log, "--rules", HERE / "rules.yaml", "--targets", HOME / "targets.yaml"),
        *("--port", "0", "--metrics-port", "0", "--json"),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "LOG_LEVEL": "warning"},
    )
    assert server.stdout is not None
    line = await asyncio.wait_for(server.stdout.readline(), 30)
    if not line:
        raise DemoFailed(f"the server ended with status {await server.wait()}")
    return server, json.loads(line)["http"]


async def import_events(url: str) -> dict[str, Any]:
    """The importer's summary; its progress bar is on the terminal."""
    importer = await asyncio.create_subprocess_exec(
        ORCHESTRATOR,
        *("events", "import", HERE / "traffic-fines.jsonl.gz", "--url", url, "--until", UNTIL),
        *("--wait", "delivered", "--json"),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await asyncio.wait_for(importer.communicate(), 300)
    if importer.returncode:
        raise DemoFailed(f"the import ended with status {importer.returncode}")
    return json.loads(out)


async def commands(url: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    cursor = None
    async with aiohttp.ClientSession(url) as session:
        while True:
            query = {"limit": "1000"} | ({"cursor": cursor} if cursor else {})
            async with session.get("/v1/commands", params=query) as answer:
                answer.raise_for_status()
                page = await answer.json()
            found += page["commands"]
            cursor = page["next"]
            if cursor is None:
                return found


def expected() -> dict[str, tuple[str, float]]:
    """Fine → (when its penalty is due, how much it is), by a loop over the file: 60 days after the notification, twice
    the amount of that moment."""
    amounts: dict[str, float] = {}
    penalties: dict[str, tuple[str, float]] = {}
    with gzip.open(HERE / "traffic-fines.jsonl.gz") as file:
        for event in map(json.loads, file):
            if event["type"] in ("fine.created", "fine.penalty_added"):
                amounts[event["subject"]] = event["data"]["amount"]
            elif event["type"] == "fine.notified":
                due = datetime.fromisoformat(event["time"]) + timedelta(days=60)
                if due <= datetime.fromisoformat(UNTIL):
                    at = due.isoformat().replace("+00:00", "Z")
                    penalties[event["subject"]] = (at, 2 * amounts[event["subject"]])
    return penalties


def check(receiver: Receiver, decided: list[dict[str, Any]]) -> None:
    """Raises DemoFailed."""
    states = Counter(command["state"] for command in decided)
    if len(decided) != PENALTIES or states["done"] != PENALTIES:
        raise DemoFailed(f"{PENALTIES} penalties should have been delivered, but there are {dict(states)}")
    if receiver.seen.keys() != {command["id"] for command in decided}:
        raise DemoFailed("the receiver did not see the commands that the log says were delivered")
    doubled = sum(count > 1 for count in receiver.seen.values())
    if doubled:
        raise DemoFailed(f"{doubled} commands were delivered more than once, although nothing failed")
    wanted = expected()
    if receiver.penalties != wanted:
        fine = min(wanted.items() ^ receiver.penalties.items())[0]
        raise DemoFailed(f"fine {fine} should get {wanted.get(fine)}, but got {receiver.penalties.get(fine)}")


def report(summary: dict[str, Any], decided: list[dict[str, Any]], receiver: Receiver, seconds: float) -> None:
    """What happened, in numbers."""
    firings = Counter(command["rule"] for command in decided)
    print(f"\n  events imported           {summary['events']:>7,}")
    for rule, count in sorted(firings.items()):
        print(f"  firings of {rule:<14} {count:>7,}")
    print(f"  commands delivered        {sum(receiver.seen.values()):>7,}  each once")
    print(f"  commands acknowledged     {sum(c['state'] == 'done' for c in decided):>7,}")
    print(f"  imported, decided and delivered in {seconds:.1f} s: {summary['events'] / seconds:,.0f} events/s")


def what_next(decided: list[dict[str, Any]]) -> None:
    print(f"""
What next? These lines work from here:

  make run                                                      # keeps a server running on what you just imported
  .venv/bin/orchestrator projections get fines A15              # then, in another terminal: the fine as it is now
  .venv/bin/orchestrator commands list --key A15                # its penalty
  .venv/bin/orchestrator commands show {decided[0]["id"]}
  .venv/bin/orchestrator replay verify --log {LOG}   # proves that all of it follows from the events
""")


async def demo(backend: str) -> None:
    if (HOME / "redis").exists():
        stop_redis()
    shutil.rmtree(HOME, ignore_errors=True)
    HOME.mkdir(parents=True)
    receiver = Receiver()
    await receiver.start()
    (HOME / "targets.yaml").write_text(TARGETS.format(port=receiver.port))
    servers = []
    try:
        log = start_redis() if backend == "redis" else LOG
        for _ in range(2 if backend == "redis" else 1):
            server, url = await start_server(log)
            servers.append(server)
        begun = time.perf_counter()
        summary = await import_events(url)
        seconds = time.perf_counter() - begun
        decided = await commands(url)
        check(receiver, decided)
        report(summary, decided, receiver, seconds)
        if backend != "redis":
            what_next(decided)
    finally:
        for server in servers:
            if server.returncode is None:
                server.send_signal(signal.SIGTERM)
                await asyncio.wait_for(server.wait(), 30)
        await receiver.stop()
        if (HOME / "redis").exists():
            stop_redis()


if __name__ == "__main__":
    try:
        backend = os.environ.get("BACKEND") or "sqlite"
        if backend not in ("sqlite", "redis"):
            raise DemoFailed(f"BACKEND={backend}: choose sqlite or redis")
        asyncio.run(demo(backend))
    except (DemoFailed, TimeoutError, aiohttp.ClientError) as error:
        sys.exit(f"demo failed: {error or type(error).__name__}")
