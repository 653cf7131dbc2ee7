"""A real Temporal server on loopback: its development server, started when a test first needs it, once in a process,
and stopped at its end. Tests share it, each with workflow ids of its own.

It is built from source when the machine has not got it yet, by whoever comes first (`tests/services/temporal`): tests
that need it have LONGEST seconds.
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

from tests.ports import free_ports, is_free

SCRIPT = Path(__file__).parent.parent / "services" / "temporal"
BUILT = 1_300.0
LONGEST = BUILT + 200.0
"""Seconds that a test may take which may have to wait for the server to be built."""


def script(*arguments: str | Path, within: float = 100.0) -> str:
    done = subprocess.run([SCRIPT, *arguments], capture_output=True, text=True, timeout=within, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


class TemporalServer:
    """Of one test alone, so that it may kill it. Keeps what it has in a file."""

    def __init__(self, folder: Path) -> None:
        script("build", within=BUILT)
        self._folder = folder
        for _ in range(5):  # another process may take a port before it does
            try:
                self.address = script("start", "--dir", folder, "--port", str(free_ports(1)))
                return
            except AssertionError as error:
                failed = error
                shutil.rmtree(folder, ignore_errors=True)
        raise failed

    @property
    def port(self) -> int:
        return int(self.address.rpartition(":")[2])

    def kill(self) -> None:
        os.kill(int((self._folder / "pid").read_text()), signal.SIGKILL)
        self.stop()
        until = time.monotonic() + 30
        while not is_free(self.port):  # a large one takes a while to go
            assert time.monotonic() < until, f"port {self.port} is not given back"
            time.sleep(0.01)

    def start(self) -> None:
        """At the same address."""
        assert script("start", "--dir", self._folder, "--port", str(self.port)) == self.address

    def stop(self) -> None:
        script("stop", "--dir", self._folder)


@functools.cache
def shared() -> TemporalServer:
    folder = Path(tempfile.mkdtemp(prefix="temporal-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    server = TemporalServer(folder / "server")
    atexit.register(server.stop)
    return server
