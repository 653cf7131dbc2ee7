"""The example workers in other languages do what their page says: a real server, and the program as users build it."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.crash.processes import ServerProcess, serving
from tests.docs.pages import ROOT
from tests.orchestrator.test_worker import commands, decide_all, until

WORKERS = ROOT / "examples/workers"
RULES = """
ruleset: letters
rules:
  letter:
    on: letter.written
    then: [{command: print, to: printer, args: {text: "${event.subject}", pages: "${event.data.pages}"}}]
"""
TARGETS = "targets:\n  printer: {kind: worker, alarm: off}\n"
OFFLINE = re.compile(r"ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ENETUNREACH|ETIMEDOUT|ECONNRESET")


def go(folder: Path) -> list[str]:
    """The command that runs the example, built there."""
    if shutil.which("go") is None:
        pytest.skip("Go is not installed")
    settings = {"GOTOOLCHAIN": "local", "GOFLAGS": "-buildvcs=false", "GOPROXY": "off"}
    _run(["go", "vet", "."], folder, **settings)
    _run(["go", "build", "-o", "worker", "."], folder, **settings)
    return [str(folder / "worker")]


def typescript(folder: Path) -> list[str]:
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("Node and npm are not installed")
    _run(["npm", "ci", "--no-audit", "--no-fund"], folder)
    _run(["npm", "run", "build"], folder)
    return ["node", str(folder / "build/worker.js")]


def _run(command: list[str], folder: Path, **settings: str) -> None:
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=300, env={**os.environ, **settings}
    )
    said = done.stdout + done.stderr
    if command[0] == "npm" and done.returncode and (why := OFFLINE.search(said)):
        pytest.skip(f"npm cannot fetch the compiler: {why[0]}")
    assert done.returncode == 0, said


@pytest.fixture(params=["go", "typescript"])
def program(request: pytest.FixtureRequest, tmp_path: Path) -> list[str]:
    folder = tmp_path / "program"
    shutil.copytree(WORKERS / request.param, folder, ignore=shutil.ignore_patterns("node_modules", "build"))
    return {"go": go, "typescript": typescript}[request.param](folder)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    with serving(tmp_path, RULES, TARGETS) as running:
        yield running


def test_an_example_prints_everything_once_and_ends_when_it_is_told(
    program: list[str], server: ServerProcess, tmp_path: Path
) -> None:
    events = [(f"letter {number}", {"pages": 1}) for number in range(40)]
    decide_all(server, "letter.written", [("long", {"pages": 130}), ("empty", {"pages": 0}), *events])
    printed = tmp_path / "printed.txt"
    with printed.open("wb") as out:
        worker = subprocess.Popen(
            program, stdout=out, stderr=subprocess.PIPE, env={**os.environ, "ORCHESTRATOR_URL": server.url}
        )
    try:
        until(lambda: len(commands(server, "done")) == 40)
        (parked,) = until(lambda: commands(server, "parked"))
        assert "0 pages cannot be printed" in parked["last_error"]
        until(lambda: len(commands(server, "done")) == 41, within=30)  # longer than the lease that was asked for
        decide_all(server, "letter.written", [("last", {"pages": 10})])
        until(lambda: commands(server, "in_flight"))
        worker.send_signal(signal.SIGTERM)
        _, said = worker.communicate(timeout=20)
        assert (worker.returncode, said) == (0, b"")
    finally:
        worker.kill()
        worker.wait(10)
    done = until(lambda: found if len(found := commands(server, "done")) == 42 else None)
    assert {each["attempts"] for each in done} == {1}
    assert sorted(printed.read_text().splitlines()) == sorted(f"{each['id']} {each['key']}" for each in done)


def test_an_example_says_what_became_of_a_command_when_a_server_comes_back(
    program: list[str], server: ServerProcess
) -> None:
    decide_all(server, "letter.written", [("letter", {"pages": 10})])
    worker = subprocess.Popen(
        program,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "ORCHESTRATOR_URL": server.url},
    )
    try:
        until(lambda: commands(server, "in_flight"))
        server.kill()
        time.sleep(1.5)  # it is printed meanwhile
        server.spawn()
        server.wait_ready()
        (done,) = until(lambda: commands(server, "done"))
        assert done["attempts"] == 1
        worker.send_signal(signal.SIGTERM)
        printed, _ = worker.communicate(timeout=20)
        assert (worker.returncode, printed.decode()) == (0, f"{done['id']} letter\n")
    finally:
        worker.kill()
        worker.wait(10)
