"""How a real server ends, and who goes on: signals, half requests, two servers on one log, ports that are taken."""

import json
import resource
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator.cli.server import FILES
from streams.backends.open import open_log
from tests.orchestrator.test_server import RULES, Running

CALL = [sys.executable, "-c", "from orchestrator.cli import main; main()"]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Running]:
    running = Running(tmp_path)
    yield running
    if running.process.poll() is None:
        running.stop(signal.SIGKILL)
    assert running.process.stdout is not None
    running.process.stdout.close()
    running.errors.close()


def asked(url: str) -> tuple[int, Any]:
    try:
        with urllib.request.urlopen(url, timeout=20) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def wait_for(question: Callable[[], bool], seconds: float = 30.0) -> None:
    until = time.monotonic() + seconds
    while not question():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.05)


def log_of(running: Running) -> str:
    return (running.folder / "errors.txt").read_text()


def test_a_server_that_drains_says_so_and_takes_requests_until_its_time_is_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORCHESTRATOR_DRAIN", "3s")
    running = Running(tmp_path)
    wait_for(lambda: asked(running.url + "/ready")[0] == 200)
    running.process.send_signal(signal.SIGTERM)
    wait_for(lambda: asked(running.url + "/ready") == (503, {"ready": False, "waiting_for": ["the server stops"]}))
    assert asked(running.url + "/health")[0] == 200
    event = json.dumps({"id": "late", "source": "s", "type": "t"}).encode()
    late = urllib.request.Request(running.url + "/v1/events", event, {"Content-Type": "application/json"})
    with urllib.request.urlopen(late, timeout=20) as answer:
        assert answer.status == 202
    assert running.process.wait(30) == 0, log_of(running)
    assert running.process.stdout is not None
    running.process.stdout.close()
    running.errors.close()
    log = open_log(running.log, now=lambda: 0)
    assert sum(log.tail(partition) for partition in range(3)) > 3, "the activations, and the late event"
    log.close()


def test_a_half_request_is_answered_when_the_server_stops_and_everything_is_released(server: Running) -> None:
    wait_for(lambda: asked(server.url + "/ready")[0] == 200)
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as half:
        half.sendall(
            b"POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{"
        )
        assert asked(server.url + "/health")[0] == 200
        server.process.send_signal(signal.SIGTERM)
        assert half.recv(65536).startswith(b"HTTP/1.1 503 ")
    assert server.process.wait(30) == 0
    assert '"event": "stopping"' in log_of(server)
    assert not list(server.folder.glob("*.lock"))


def test_a_second_signal_ends_a_server_that_still_waits_for_a_target(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        targets = tmp_path / "targets.yaml"
        port = silent.getsockname()[1]
        targets.write_text(
            f"targets: {{slow: {{kind: webhook, url: http://127.0.0.1:{port}/, allow: [127.0.0.1/32], timeout: 60s}}}}"
        )
        (tmp_path / "rules.yaml").write_text(
            "ruleset: r\nrules: {now: {on: order.placed, then: [{command: tell, to: slow, args: {}}]}}"
        )
        call = [*CALL, "server", "--log", f"sqlite:///{tmp_path}/log.db", "--rules", str(tmp_path / "rules.yaml")]
        call += ["--targets", str(targets), "--port", "0", "--metrics-port", "0", "--json"]
        process = subprocess.Popen(call, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            assert process.stdout is not None
            assert process.stderr is not None
            url = json.loads(process.stdout.readline())["http"]
            event = json.dumps({"id": "1", "source": "s", "type": "order.placed", "subject": "A"}).encode()
            headers = {"Content-Type": "application/json"}
            urllib.request.urlopen(urllib.request.Request(url + "/v1/events", event, headers), timeout=20).close()
            silent.settimeout(30)
            with silent.accept()[0]:
                process.send_signal(signal.SIGTERM)
                while b'"stopping"' not in process.stderr.readline():
                    assert process.poll() is None
                process.send_signal(signal.SIGTERM)
                assert process.wait(30) == -signal.SIGTERM
        finally:
            process.kill()
            process.wait(30)
            for stream in (process.stdout, process.stderr):
                assert stream is not None
                stream.close()


def test_a_second_server_waits_says_so_and_takes_over(server: Running, tmp_path: Path) -> None:
    wait_for(lambda: asked(server.url + "/ready")[0] == 200)
    folder = tmp_path / "second"
    folder.mkdir()
    second = Running.__new__(Running)
    second.folder, second.log, second.port = folder, server.log, 0
    (folder / "rules.yaml").write_text(RULES)
    second.start()
    try:
        url = second.addresses["http"]
        status, found = asked(url + "/ready")
        assert (status, found["ready"]) == (503, False)
        wait_for(lambda: '"state": "waiting"' in log_of(second))
        assert asked(url + "/health")[0] == 200
        assert server.stop() == 0
        wait_for(lambda: asked(url + "/ready")[0] == 200)
        wait_for(lambda: '"state": "running"' in log_of(second))
        assert second.stop() == 0
    finally:
        if second.process.poll() is None:
            second.stop(signal.SIGKILL)


def test_a_port_that_is_taken_is_named_with_its_setting_and_nothing_runs(tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text(RULES)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        for setting, other in (("--port", "--metrics-port"), ("--metrics-port", "--port")):
            call = [*CALL, "server", "--log", "memory://", "--rules", str(tmp_path / "rules.yaml"), setting, port]
            done = subprocess.run([*call, other, "0"], capture_output=True, text=True, timeout=60, check=False)
            assert (done.returncode, done.stdout) == (1, "")
            assert done.stderr.endswith(
                f"{setting}={port} on 127.0.0.1: Address already in use; choose another, or 0\n"
            )
            assert "Traceback" not in done.stderr


def test_a_server_asks_for_as_many_open_files_as_it_may_have(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    try:
        running = Running(tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    wanted = FILES if hard == resource.RLIM_INFINITY else min(FILES, hard)
    assert resource.prlimit(running.process.pid, resource.RLIMIT_NOFILE)[0] == wanted
    assert running.stop() == 0
