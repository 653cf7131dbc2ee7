"""A disk that is full, or cannot be written: refused openly, resumed when that is over, and what was answered stays."""

import errno
import json
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator.cli.main import run
from streams.backends.open import open_log
from streams.event import CONTROL
from streams.outputs import Command
from tests.crash.processes import ServerProcess

RULES = """
ruleset: disk
projections:
  counts: {fold: {a: {n: "row.n + 1"}}, initial: {n: 0}}
rules:
  each: {on: a, then: [{command: c, to: log}]}
"""
ROOM, MORE = 96, 256
"""Megabytes of the disk. 64 of them are kept for commits."""
PARTITIONS = 3


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={ROOM}m", "none", str(folder)], capture_output=True, text=True
    )
    if mounted.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def publish(url: str, first: int, count: int = 200) -> tuple[int, Any]:
    events = [
        {"id": str(n), "source": "disk", "type": "a", "subject": f"k{n % 50}", "data": {"filling": "x" * 2_000}}
        for n in range(first, first + count)
    ]
    request = urllib.request.Request(
        f"{url}/v1/events", json.dumps(events).encode(), {"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def fill(file: Path) -> None:
    """Until nothing more fits."""
    with file.open("wb", buffering=0) as filling:
        try:
            while True:
                filling.write(b"x" * (1 << 16))
        except OSError as error:
            assert error.errno == errno.ENOSPC  # noqa: PT017 - it ends when nothing fits


def health(url: str) -> dict[str, Any]:
    with urllib.request.urlopen(f"{url}/health", timeout=20) as answer:
        found: dict[str, Any] = json.loads(answer.read())
        return found


def test_a_full_disk_refuses_openly_and_goes_on_when_there_is_room(disk: Path, tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text(RULES)
    (tmp_path / "targets.yaml").write_text("targets: {}\n")
    server = ServerProcess(disk, tmp_path / "rules.yaml", tmp_path / "targets.yaml", PARTITIONS)
    server.errors = tmp_path / "errors.txt"
    answered = 0
    try:
        server.spawn()
        server.wait_ready()
        for _ in range(1_000):
            status, said = publish(server.url, answered)
            if status != 202:
                break
            answered += 200
        assert (status, said["code"]) == (429, "full"), said
        assert "MB left" in said["detail"]
        # Somebody else fills the rest: now commits have no room, either.
        fill(disk / "filling")
        status, said = publish(server.url, answered)
        assert status in (429, 503), said
        until = time.monotonic() + 60
        while not any("disk" in problem or "full" in problem for problem in health(server.url)["problems"]):
            assert time.monotonic() < until, health(server.url)
            publish(server.url, answered)
            time.sleep(0.2)
        (disk / "filling").unlink()
        subprocess.run(["mount", "-o", f"remount,size={MORE}m", str(disk)], check=True)
        until = time.monotonic() + 60
        while (status := publish(server.url, answered)[0]) != 202:
            assert time.monotonic() < until, status
            time.sleep(0.2)
        answered += 200
        caught_up(server.url)
        assert server.end(signal.SIGTERM) == 0, server.said()
    finally:
        server.clean_up()
    decided_once(disk, answered)


def test_a_full_disk_under_a_server_that_is_killed_loses_nothing(disk: Path, tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text(RULES)
    (tmp_path / "targets.yaml").write_text("targets: {}\n")
    server = ServerProcess(disk, tmp_path / "rules.yaml", tmp_path / "targets.yaml", PARTITIONS)
    server.errors = tmp_path / "errors.txt"
    answered = 0
    try:
        server.spawn()
        server.wait_ready()
        while publish(server.url, answered)[0] == 202:
            answered += 200
        fill(disk / "filling")
        publish(server.url, answered)
        server.kill()
        (disk / "filling").unlink()
        subprocess.run(["mount", "-o", f"remount,size={MORE}m", str(disk)], check=True)
        server.spawn()
        server.wait_ready()
        assert publish(server.url, answered)[0] == 202
        answered += 200
        caught_up(server.url)
        assert server.end(signal.SIGTERM) == 0, server.said()
    finally:
        server.clean_up()
    decided_once(disk, answered)


def test_a_disk_that_cannot_be_written_is_told_at_start(tmp_path: Path, disk: Path) -> None:
    (tmp_path / "rules.yaml").write_text(RULES)
    open_log(f"sqlite:///{disk}/log.db", partitions=PARTITIONS, now=lambda: 0).close()
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    command = ["-c", "from orchestrator.cli import main; main()", "server", "--rules", str(tmp_path / "rules.yaml")]
    done = subprocess.run(
        [sys.executable, *command, "--log", f"sqlite:///{disk}/log.db", "--port", "0", "--metrics-port", "0"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    assert "may be written" in done.stderr, done.stderr
    assert f"{disk}/log.db" in done.stderr


def caught_up(url: str) -> None:
    until = time.monotonic() + 60
    while True:
        with urllib.request.urlopen(f"{url}/v1/partitions", timeout=20) as answer:
            found = json.loads(answer.read())["partitions"]
        if all(each["lag"] == 0 and each["undelivered"] == 0 and each["shown"] for each in found):
            return
        assert time.monotonic() < until, found
        time.sleep(0.1)


def decided_once(disk: Path, answered: int) -> None:
    """All that was answered is in the log, what may have been stored without an answer is known again, and each event
    was decided once."""
    log = open_log(f"sqlite:///{disk}/log.db", now=lambda: 0)
    stored: set[str] = set()
    decided: Counter[str] = Counter()
    for partition in range(PARTITIONS):
        after = 0
        while (batch := log.read(partition, after, 1_000)).events:
            stored.update(event.id for event in batch.events if event.kind != CONTROL)
            after = batch.offsets[-1]
        number = 0
        while (page := log.outputs(partition, number, 1_000))[1]:
            decided.update(output.cause for output in page[1] if isinstance(output, Command))
            number = page[0] + len(page[1]) - 1
    log.close()
    assert {str(n) for n in range(answered)} <= stored
    assert set(decided) == {id for id in stored if "." not in id}
    assert set(decided.values()) == {1}
    assert run(["replay", "verify", "--log", f"sqlite:///{disk}/log.db"]) == 0
