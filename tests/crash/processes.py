"""A server and an importer as their users start them, which tests kill and start again."""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from tests.ports import free_port

ORCHESTRATOR = [sys.executable, "-c", "from orchestrator.cli import main; main()"]
READY = 30.0
"""Seconds in which a server must have started."""


class _Process:
    """One command, run again and again. What it prints to stderr is in `errors`."""

    def __init__(self, folder: Path, name: str, command: list[str]) -> None:
        self.errors = folder / f"{name}.errors.txt"
        self._command = command
        self._running: subprocess.Popen[bytes] | None = None
        self.ready = False
        """Whether the one that runs has said so, to who waited for it."""

    def spawn(self, **settings: str) -> None:
        self.ready = False
        with self.errors.open("ab") as errors:
            self._running = subprocess.Popen(
                self._command,
                stdout=subprocess.PIPE,
                stderr=errors,
                env={**os.environ, "LOG_LEVEL": "warning", **settings},
            )

    @property
    def process(self) -> subprocess.Popen[bytes]:
        assert self._running is not None
        return self._running

    @property
    def alive(self) -> bool:
        return self._running is not None and self._running.poll() is None

    def end(self, number: int, within: float = 30.0) -> int:
        self.process.send_signal(number)
        status = self.process.wait(within)
        self._out.close()
        return status

    def kill(self) -> None:
        assert self.end(signal.SIGKILL) == -signal.SIGKILL, self.said()

    def clean_up(self) -> None:
        if self.alive:
            self.end(signal.SIGKILL)
        elif self._running is not None:
            self._out.close()

    def said(self) -> str:
        return self.errors.read_text()

    def _ready_line(self) -> dict[str, str]:
        with selectors.DefaultSelector() as selector:
            selector.register(self._out, selectors.EVENT_READ)
            assert selector.select(READY), f"not ready after {READY} s: {self.said()}"
        line = self._out.readline()
        assert line, self.said()
        found: dict[str, str] = json.loads(line)
        return found

    @property
    def _out(self) -> IO[bytes]:
        assert self.process.stdout is not None
        return self.process.stdout


class ServerProcess(_Process):
    """A server over the log in `folder`, or another, always on the same port."""

    def __init__(
        self,
        folder: Path,
        rules: Path,
        targets: Path,
        partitions: int,
        *,
        log: str = "",
        name: str = "server",
        program: Sequence[str] = ORCHESTRATOR,
        options: Sequence[str] = (),
    ) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.metrics = ""
        """Where they are, once it is ready."""
        self.database = folder / "log.db"
        self.log = log or f"sqlite:///{self.database}"
        self.partitions = partitions
        command = ["server", "--log", self.log, "--rules", str(rules), "--targets", str(targets), "--json"]
        ports = ["--port", str(self.port), "--metrics-port", "0"]
        super().__init__(folder, name, [*program, *command, *ports, *options])

    def spawn(self, **settings: str) -> None:
        super().spawn(ORCHESTRATOR_PARTITIONS=str(self.partitions), **settings)

    def wait_ready(self) -> None:
        found = self._ready_line()
        assert found["http"] == self.url
        self.metrics = found["metrics"]
        self.ready = True


@contextmanager
def serving(
    folder: Path,
    rules: str,
    targets: str = "targets: {}\n",
    *,
    program: Sequence[str] = ORCHESTRATOR,
    **settings: str,
) -> Iterator[ServerProcess]:
    """A server of four partitions with these files, ready; it is gone when the block ends."""
    (folder / "rules.yaml").write_text(rules)
    (folder / "targets.yaml").write_text(targets)
    running = ServerProcess(folder, folder / "rules.yaml", folder / "targets.yaml", 4, program=program)
    try:
        running.spawn(**settings)
        running.wait_ready()
        yield running
    finally:
        running.clean_up()


class WorkerProcess(_Process):
    """`orchestrator worker`, which takes commands from the server at `url`."""

    def __init__(self, folder: Path, targets: Path, url: str, *options: str, name: str = "worker") -> None:
        command = ["worker", "--targets", str(targets), "--url", url, "--port", "0", "--metrics-port", "0", "--json"]
        super().__init__(folder, name, [*ORCHESTRATOR, *command, *options])
        self.addresses: dict[str, str] = {}

    def wait_ready(self) -> None:
        """It says where it listens; the server may be away."""
        self.addresses = self._ready_line()
        self.ready = True


class ImportProcess(_Process):
    """`orchestrator events import FILE --wait delivered`."""

    def __init__(self, folder: Path, file: Path, url: str, until: str) -> None:
        command = ["events", "import", str(file), "--url", url, "--until", until, "--wait", "delivered", "--json"]
        super().__init__(folder, "import", [*ORCHESTRATOR, *command])

    def summary(self, within: float) -> dict[str, Any]:
        """Waits for its end."""
        out, _ = self.process.communicate(timeout=within)
        assert self.process.returncode == 0, self.said()
        found: dict[str, Any] = json.loads(out)
        return found
