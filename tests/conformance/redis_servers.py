"""Real Redis servers for tests: each form is started when a test first needs it, once in a process, and stopped at its
end. Tests share it, each with a log of its own name.
"""

from __future__ import annotations

import atexit
import functools
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Literal

import redis

from streams.backends.redis.nodes import QUIET
from tests.ports import free_ports, is_free

SCRIPT = Path(__file__).parent.parent / "services" / "redis"
Form = Literal["single", "cluster", "sentinel"]
OPTIONS: dict[Form, list[str]] = {"single": [], "cluster": ["--cluster", "3"], "sentinel": ["--sentinel"]}
PORTS: dict[Form, int] = {"single": 1, "cluster": 3, "sentinel": 5}


def script(*arguments: str) -> str:
    done = subprocess.run([SCRIPT, *arguments], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def start(folder: Path, *options: str, ports: int) -> list[str]:
    """Starts servers in a folder: their addresses. Another process may take a port before they do: then elsewhere."""
    for _ in range(5):
        first = free_ports(ports)
        done = subprocess.run(
            [SCRIPT, "start", "--dir", folder, "--port", str(first), *options],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        if done.returncode == 0:
            return done.stdout.split()
        shutil.rmtree(folder, ignore_errors=True)
    raise AssertionError(done.stderr)


@functools.cache
def addresses(form: Form) -> str:
    """Of the servers that this process shares, with commas between them."""
    folder = Path(tempfile.mkdtemp(prefix=f"redis-{form}-"))
    atexit.register(_stop, folder)
    return ",".join(start(folder / "servers", *OPTIONS[form], ports=PORTS[form]))


def _stop(folder: Path) -> None:
    subprocess.run([SCRIPT, "stop", "--dir", folder / "servers"], capture_output=True, timeout=60, check=False)
    shutil.rmtree(folder, ignore_errors=True)


class Servers:
    """Servers of one test alone, so that it may spoil them. What they answered for is in their file when they are
    killed: with `everysec` a server puts off its writes while an fsync takes long, and a kill then loses them.
    """

    def __init__(self, folder: Path, *options: str, ports: int = 1) -> None:
        self._folder = folder
        self.addresses = start(folder, "--appendfsync", "always", *options, ports=ports)

    @property
    def port(self) -> int:
        return int(self.addresses[0].rpartition(":")[2])

    def url(self, name: str = "log", port: int | None = None) -> str:
        if port is not None:
            return f"redis://127.0.0.1:{port}?name={name}"
        return f"redis://{','.join(self.addresses)}?name={name}"

    def client(self, port: int | None = None) -> redis.Redis:
        return redis.Redis(port=port or self.port, decode_responses=True)

    def members(self) -> list[tuple[int, int, str]]:
        """Port, pid, role of those that run."""
        found = [line.split() for line in script("pids", "--dir", str(self._folder)).splitlines()]
        return [(int(port), int(pid), role) for port, pid, role in found]

    def kill(self, port: int) -> None:
        (pid,) = (pid for at, pid, _ in self.members() if at == port)
        os.kill(pid, signal.SIGKILL)
        until = time.monotonic() + 30
        while not is_free(port):  # a large one takes a while to go
            assert time.monotonic() < until, f"port {port} is not given back"
            time.sleep(0.01)

    def start(self) -> None:
        """Those that do not run. A connection that was used less than QUIET ago is not looked at before it is used."""
        script("start", "--dir", str(self._folder))
        time.sleep(QUIET)

    def stop(self) -> None:
        script("stop", "--dir", str(self._folder))
