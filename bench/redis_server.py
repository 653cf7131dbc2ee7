"""A Redis server of our own for a job: single, append-only file synced every second, on a free port, data in `folder`.

`tests/services/redis` starts it, and stops it by the id of its process. The append-only file is not rewritten while we
measure: that would fall on whoever's turn it is.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import redis

from bench.server import pin

SCRIPT = Path(__file__).parent.parent / "tests" / "services" / "redis"
HOST = "127.0.0.1"
ATTEMPTS = 5
"""Free ports that are tried: another process may take one between our look and the server's."""
LONGEST = 120.0
"""Seconds for a start or a stop; a first start may have to install the server."""


class RedisServer(NamedTuple):
    port: int
    pid: int

    def url(self, name: str) -> str:
        """Of a log of that name."""
        return f"redis://{HOST}:{self.port}/0?name={name}"

    def client(self) -> redis.Redis:
        return redis.Redis(host=HOST, port=self.port)

    @property
    def busy(self) -> float:
        """Seconds of CPU that it has used."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def started(folder: Path, *, pinned: bool = True) -> Iterator[RedisServer]:
    """`pinned`: to the first core, so that who measures may have the last."""
    place = folder / "redis"
    try:
        port = _start(place)
        pid = int(_run("pids", place).split()[1])
        server = RedisServer(port, pid)
        if pinned:
            pin(0, pid)
        with server.client() as client:
            client.config_set("auto-aof-rewrite-percentage", 0)
        yield server
    finally:
        _run("stop", place)


def _start(place: Path) -> int:
    for left in reversed(range(ATTEMPTS)):
        port = _free_port()
        try:
            _run("start", place, "--port", str(port), "--appendfsync", "everysec")
            return port
        except RuntimeError as error:
            if not left or not re.search("is taken", str(error)):
                raise
    raise AssertionError("the last attempt returns or raises")


def _free_port() -> int:
    """Below 65,000, which is what the script takes."""
    while True:
        with socket.socket() as probe:
            probe.bind((HOST, 0))
            port: int = probe.getsockname()[1]
        if port <= 65_000:
            return port


def _run(command: str, place: Path, *more: str) -> str:
    done = subprocess.run(
        [SCRIPT, command, "--dir", place, *more], capture_output=True, text=True, timeout=LONGEST, check=False
    )
    if done.returncode:
        raise RuntimeError(f"tests/services/redis {command}: {done.stderr.strip()}")
    return done.stdout
