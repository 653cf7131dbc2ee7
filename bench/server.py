"""Servers in processes of their own, pinned to a core: the real one, and the bare one of `bench/bare.py`.

Where a machine has two cores or more, servers run on the first and who measures on the last, so that neither takes the
other's time and both servers have the same.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
import weakref
from collections.abc import Sequence
from pathlib import Path

from orchestrator.settings import Settings
from orchestrator.wiring import wall_clock
from streams.backends.open import open_log
from streams.log import Log
from streams.worker import RULES

ROOT = Path(__file__).parent.parent
READY = 120.0
"""Seconds that a server has to say where it listens."""


def pin(place: int, process: int = 0) -> None:
    """To the first (0) or the last (-1) of the cores that we may use."""
    if hasattr(os, "sched_getaffinity"):
        cores = sorted(os.sched_getaffinity(process))
        os.sched_setaffinity(process, {cores[place]})


class Server:
    """Ready when this is made. What it writes to stderr goes to `folder`."""

    def __init__(self, arguments: Sequence[str], folder: Path, pinned: bool = True) -> None:
        with open(folder / "server.log", "ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, *arguments],
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=ROOT,
                text=True,
                env=_environment(),
            )
        # Whatever happens to who made this, the process does not stay.
        weakref.finalize(self, self._process.kill)
        if pinned:
            pin(0, self._process.pid)
        assert self._process.stdout is not None
        with self._process.stdout as output:
            said = select.select([output], [], [], READY)[0]
            ready = output.readline() if said else ""
        if not ready:
            self._process.kill()
            raise RuntimeError(f"the server was not ready: {(folder / 'server.log').read_text()[-2000:]}")
        self.address: str = json.loads(ready)["http"]

    @property
    def peak(self) -> int:
        """Bytes that were resident at most."""
        for line in Path(f"/proc/{self._process.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
        raise RuntimeError("this system does not say how much memory a process had")

    def close(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(60)
        except subprocess.TimeoutExpired:
            self._process.kill()
            raise


def _environment() -> dict[str, str]:
    """Ours without settings of the server, so that it has its defaults."""
    names = {str(field.validation_alias) for field in Settings.model_fields.values()}
    return {name: value for name, value in os.environ.items() if name not in names}


def bare(folder: Path) -> Server:
    return Server(["-m", "bench.bare"], folder)


def log_path(folder: Path) -> Path:
    return folder / "log.db"


def log_url(folder: Path) -> str:
    return f"sqlite:///{log_path(folder)}"


def orchestrator(folder: Path, rules: str, pinned: bool = True, url: str = "", targets: str = "") -> Server:
    """The real one, with default settings, over the log at `url`: "" for a SQLite log in `folder`."""
    file = folder / "bench.yaml"
    file.write_text(rules)
    arguments = ["server", "--json", "--port", "0", "--metrics-port", "0"]
    arguments += ["--log", url or log_url(folder), "--rules", str(file)]
    if targets:
        (folder / "targets.yaml").write_text(targets)
        arguments += ["--targets", str(folder / "targets.yaml")]
    return Server(["-c", "from orchestrator.cli import main; main()", *arguments], folder, pinned)


def reader(url: str) -> Log:
    """The log of a server that runs, for looking only."""
    return open_log(url, now=wall_clock, create=False)


def lag(log: Log) -> int:
    """Events that are not evaluated yet."""
    return sum(each.tail - each.positions.get(RULES, 0) for each in log.status())


def wait_evaluated(log: Log, longest: float, pause: float = 0.001) -> None:
    deadline = time.monotonic() + longest
    while left := lag(log):
        if time.monotonic() > deadline:
            raise TimeoutError(f"{left:,} events are not evaluated after {longest:.0f} s")
        time.sleep(pause)
