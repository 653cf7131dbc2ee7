"""A reader's terminal: one shell for all blocks of a page, in an empty folder, with ports of its own.

Pages are written with the default ports, and the session puts free ones in their place. What a command in the
background prints is waited for. A command that only looks is repeated until it shows what the page shows, for a while:
readers are slower than this.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.ports import free_port

PATIENCE = 30.0
"""Seconds that one command has."""
PORTS = {"8000": "ORCHESTRATOR_PORT", "9090": "METRICS_PORT", "8099": "", "7233": ""}
_LOOKING = re.compile(
    r"orchestrator (projections|partitions|parked (list|show)|commands (list|show))\b"
    r"|curl (?!.*( -d | --data| -X | -T ))|(cat|tail|head|grep) "
)
_PORT = re.compile(
    r"\b(?:(?<=127\.0\.0\.1:)|(?<=localhost:)|(?<=\"127\.0\.0\.1\", )|(?<=--port ))(8000|9090|8099|7233)\b"
)
_ID = re.compile(r"\b[0-9a-f]{32}\b")
_VARYING = [
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z"), "TIME"),
    (re.compile(r"\"seconds\":[\d.e-]+"), '"seconds":SECONDS'),
    (re.compile(r"\b\d[\d,.]* s\b"), "SECONDS"),
    (re.compile(r"\b[\d,]+ (\w+)/s"), r"N \1/s"),
    (re.compile(r"[\d,]+ events replayed, [\d,]+ rows"), "events replayed, rows"),
    (re.compile(r"(as_of\":\"|as of )\d+\.\d+\.\d+"), r"\1POSITION"),
    (re.compile(r"Python 3\.\d+\.\d+"), "Python"),
]


class Mismatch(AssertionError):
    pass


class Session:
    """Ends everything that was started in it when it is closed."""

    def __init__(self, folder: Path, jobs: Path) -> None:
        self.folder = folder
        self._jobs = jobs
        self._count = 0
        self._last = 0
        self._ports = {written: str(free_port()) for written in PORTS}
        given = {variable: self._ports[written] for written, variable in PORTS.items() if variable}
        ours = {name: value for name, value in os.environ.items() if not name.startswith(("ORCHESTRATOR_", "METRICS_"))}
        if shutil.which("curl") is None:
            stand_in = jobs / "curl"
            stand_in.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{Path(__file__).parent / "curl.py"}" "$@"\n')
            stand_in.chmod(0o755)
        self._shell = subprocess.Popen(
            ["bash", "--noprofile", "--norc"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=folder,
            env={
                **ours,
                **given,
                "ORCHESTRATOR_URL": f"http://127.0.0.1:{self._ports['8000']}",
                "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}:{jobs}",
                # What a page installs is there for the page, and the environment of the tests stays as it is.
                "PIP_TARGET": str(jobs / "site"),
                "PIP_NO_DEPS": "1",
                "PIP_NO_BUILD_ISOLATION": "0",  # as pip reads it: without isolation
                "PIP_DISABLE_PIP_VERSION_CHECK": "1",
                "PYTHONPATH": str(jobs / "site"),
                "COLUMNS": "80",
                "TERM": "dumb",
                "no_proxy": "*",
            },
            text=True,
            start_new_session=True,
        )

    def close(self) -> None:
        assert self._shell.stdin is not None
        self._shell.stdin.close()
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self._shell.pid, number)
            except ProcessLookupError:
                break
            time.sleep(0.5)
        self._shell.wait(PATIENCE)
        assert self._shell.stdout is not None
        self._shell.stdout.close()

    def here(self, text: str) -> str:
        """With this session's ports."""
        return _PORT.sub(lambda found: self._ports[found[1]], text)

    def there(self, text: str) -> str:
        """As the page writes it."""
        for written, ours in self._ports.items():
            text = re.sub(rf"(?:(?<=127\.0\.0\.1:)|(?<=localhost:)){ours}\b", written, text)
        return text.replace("\r", "")

    def run(self, command: str, expected: str, ids_vary: bool = False) -> int:
        """The exit status. `ids_vary`: ids of commands depend on when it runs, and are not compared.

        Raises Mismatch if it does not print what is expected."""
        assert subprocess.run(["bash", "-n", "-c", command], check=False).returncode == 0, f"$ {command}\nis no command"
        until = time.monotonic() + PATIENCE
        background = command.rstrip().endswith("&")
        status, out = self._run(command)
        while not matches(expected, shown := self.there(out.read_text("utf-8", "replace")), ids_vary):
            if time.monotonic() > until or not (background or _LOOKING.search(command)):
                raise Mismatch(f"$ {command}\n--- the page says\n{expected}\n--- it prints (status {status})\n{shown}")
            time.sleep(0.1)
            if not background:
                status, out = self._run(command)
        self._last = status
        return status

    def _run(self, command: str) -> tuple[int, Path]:
        assert self._shell.stdin is not None
        assert self._shell.stdout is not None
        self._count += 1
        out = self._jobs / f"{self._count}.out"
        # `$?` is that of the command before, as in a terminal
        shown = f"{{ {self.here(command)}\n}} >{out} 2>&1 </dev/null"
        self._shell.stdin.write(f'( exit {self._last} )\n{shown}\necho "ended $?"\n')
        self._shell.stdin.flush()
        said = self._shell.stdout.readline()
        if not said:
            raise Mismatch(f"$ {command}\n--- ended the shell")
        return int(said.split()[1]), out


def matches(expected: str, shown: str, ids_vary: bool = False) -> bool:
    """`...` is any text, or on a line of its own any lines. Times of day, speeds and widths of columns may differ."""
    if ids_vary:
        expected, shown = _ID.sub("ID", expected), _ID.sub("ID", shown)
    pattern = ""
    for line in _plain(expected).splitlines():
        if line.strip() == "...":
            pattern += r"(?:.*\n)*?"
            continue
        words = [re.escape(word).replace(r"\.\.\.", ".*") for word in line.split()]
        pattern += " ".join(words) + r"\n"
    text = "".join(" ".join(line.split()) + "\n" for line in _plain(shown).splitlines())
    return re.fullmatch(pattern, text) is not None


def _plain(text: str) -> str:
    for varying, same in _VARYING:
        text = varying.sub(same, text)
    return text
