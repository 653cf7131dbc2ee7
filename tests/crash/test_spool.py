"""A producer with a spool is killed again and again, and so is the server, and answers are lost between them: what it
was promised is evaluated once."""

import asyncio
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from orchestrator_client import AsyncClient, Client, Publisher, Retry, Row, Spool
from tests.conformance.proxy import Proxy
from tests.crash.processes import ServerProcess

RULES = """
ruleset: spooled
projections:
  payments:
    initial: {count: "0"}
    fold:
      paid: {count: row.count + 1}
"""
KILLS = 10
APART = 1_000
"""Between the last number of one process and the first of the next: what was on its way when it was killed may be in
the spool or not, and must not be another event under the same id."""


def promised(process: subprocess.Popen[bytes], first: int) -> range:
    """What it was promised before it was killed."""
    out, _ = process.communicate(timeout=10)
    lines = out.rpartition(b"\n")[0].splitlines()
    return range(first, int(lines[-1]) + 1) if lines else range(first, first)


@pytest.mark.slow
def test_what_a_killed_producer_was_promised_is_evaluated_once(tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text(RULES)
    (tmp_path / "targets.yaml").write_text("targets: {}\n")
    server = ServerProcess(tmp_path, tmp_path / "rules.yaml", tmp_path / "targets.yaml", 2)
    proxy = Proxy(("127.0.0.1", server.port))
    chance = random.Random(6)
    spool, first, kept = tmp_path / "spool", 0, list[int]()
    server.spawn()
    server.wait_ready()
    try:
        for kill in range(KILLS):
            url = f"http://127.0.0.1:{proxy.port}"
            program = [sys.executable, "-m", "tests.crash.spooling", url, str(spool), str(first)]
            process = subprocess.Popen(program, stdout=subprocess.PIPE)
            assert process.stdout is not None
            process.stdout.peek(1)  # type: ignore[attr-defined]  # it has begun
            if kill % 3 == 1:
                proxy.lose(2, b"POST /v1/events")
            if kill % 5 == 2:
                server.kill()  # the spool fills meanwhile
            time.sleep(0.1 + chance.random() * 0.3)
            process.send_signal(signal.SIGKILL)
            numbers = promised(process, first)
            kept += numbers
            first = numbers.stop + APART
            if not server.alive:
                server.spawn()
                server.wait_ready()
        assert len(kept) > 20 * KILLS, "it hardly published anything"
        assert proxy.lost > 2, "hardly an answer was lost"
        with Client(server.url, retry=Retry(within=30)) as client, Spool(spool) as left:
            publisher = Publisher(client, left)
            publisher.close()
            assert len(left) == 0
            settled(client)
        rows = asyncio.run(payments(server.url, kept))
        assert [row.key for row in rows if row.fields != {"count": 1}] == []
    finally:
        proxy.close()
        server.clean_up()


def settled(client: Client) -> None:
    """Returns when everything is evaluated and shown."""
    until = time.monotonic() + 30
    while any(each["lag"] or not each["shown"] for each in client.partitions()):
        assert time.monotonic() < until
        time.sleep(0.05)


async def payments(url: str, numbers: Sequence[int]) -> list[Row]:
    async with AsyncClient(url) as client:
        found: list[Row] = []
        for begin in range(0, len(numbers), 50):
            asked = [client.row("payments", f"e{number}") for number in numbers[begin : begin + 50]]
            found += await asyncio.gather(*asked)
        return found
