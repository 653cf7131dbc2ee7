"""Targets are shown as they are, paused and resumed by hand, over HTTP and by command, with a real receiver."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
import requests

from tests.crash.processes import ServerProcess, serving

RULES = """
ruleset: fines
rules:
  speeding:
    on: car.measured
    when: event.data.speed > 130
    then: [{command: fine, to: police, args: {plate: "${event.subject}"}}]
"""


class Receiver(ThreadingHTTPServer):
    """Counts what comes; answers with `status`."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.status = 204
        self.ids: list[str] = []


class _Handler(BaseHTTPRequestHandler):
    server: Receiver
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.server.ids.append(self.headers["webhook-id"])
        self.send_response(self.server.status)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None: ...


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    with Receiver() as made:
        Thread(target=made.serve_forever, daemon=True).start()
        yield made
        made.shutdown()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, receiver: Receiver) -> Iterator[ServerProcess]:
    targets = f"""
targets:
  police:
    kind: webhook
    url: http://127.0.0.1:{receiver.server_address[1]}/fines
    allow: [127.0.0.1/32]
    retry: {{initial: 50ms, max: 50ms, attempts: 1000}}
    breaker: {{minimum: 5, pause: 1s}}
    rate: {{limit: 1000}}
"""
    with serving(tmp_path_factory.mktemp("targets"), RULES, targets) as running:
        yield running


def get(server: ServerProcess, path: str) -> Any:
    answer = requests.get(server.url + path, timeout=10)
    assert answer.status_code == 200, answer.text
    return answer.json()


def decide(server: ServerProcess, *plates: str) -> None:
    events = [
        {"id": plate, "source": "cam", "type": "car.measured", "subject": plate, "data": {"speed": 150}}
        for plate in plates
    ]
    requests.post(f"{server.url}/v1/events", json=events, timeout=10).raise_for_status()


def orchestrator(server: ServerProcess, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "orchestrator", *arguments, "--url", server.url]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def until(condition: Callable[[], Any], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_targets_are_listed_with_what_they_bear(server: ServerProcess) -> None:
    found = get(server, "/v1/targets")["targets"]
    assert [each["name"] for each in found] == ["alerts", "log", "police"]
    police = found[2]
    assert police == get(server, "/v1/targets/police")
    assert (police["kind"], police["deliver"], police["concurrency"]) == ("webhook", "here", 8)
    assert police["rate"] == {"limit": 1000, "per": 1.0, "burst": 100.0}
    assert police["breaker"]["state"] == "closed"
    listed = orchestrator(server, "targets", "list")
    assert listed.stdout.splitlines()[3].split()[:4] == ["police", "webhook", "here", "sends"]


def test_a_paused_target_gets_nothing_until_it_is_resumed(server: ServerProcess, receiver: Receiver) -> None:
    done = orchestrator(server, "targets", "pause", "police", "--reason", "they move house")
    assert (done.returncode, done.stdout) == (
        0,
        "police is paused: `orchestrator targets resume police` goes on\n",
    )
    decide(server, *(f"A-{number}" for number in range(20)))
    until(lambda: len(get(server, "/v1/commands?state=pending")["commands"]) == 20)
    assert receiver.ids == []
    told = requests.get(server.metrics, timeout=10).text
    assert 'orchestrator_target_held{target="police",why="paused"} 1.0' in told
    assert 'orchestrator_target_held{target="police",why="breaker"} 0.0' in told
    paused = get(server, "/v1/targets/police")["paused"]
    assert paused["reason"] == "they move house"
    assert "target police: paused: they move house" in get(server, "/health")["problems"]
    assert 'orchestrator_target_commands{state="pending",target="police"} 20.0' in told
    listed = orchestrator(server, "targets", "list", "--json")
    police = json.loads(listed.stdout.splitlines()[2])
    assert police["paused"] == paused
    assert police["commands"] == {"pending": 20, "in_flight": 0, "retrying": 0, "waiting": 0, "parked": 0}
    listed = orchestrator(server, "targets", "list")
    assert listed.stdout.splitlines()[3].split()[-10:-4] == ["20", "0", "0", "0", "0", "8"]
    shown = orchestrator(server, "targets", "show", "police", "--json")
    assert json.loads(shown.stdout) == get(server, "/v1/targets/police")
    assert orchestrator(server, "targets", "pause", "police").returncode == 0, "said twice it changes nothing"
    assert orchestrator(server, "targets", "resume", "police").stdout == "police is resumed\n"
    until(lambda: len(set(receiver.ids)) == 20)
    until(lambda: len(get(server, "/v1/commands?state=done")["commands"]) == 20)
    assert all(each["attempts"] == 1 for each in get(server, "/v1/commands")["commands"])
    assert get(server, "/v1/targets/police")["paused"] is None


def test_a_target_that_nobody_declared_is_not_paused(server: ServerProcess) -> None:
    done = orchestrator(server, "targets", "pause", "polise")
    assert done.returncode == 3
    assert "there is no target `polise`: did you mean `police`?" in done.stderr
    assert requests.get(f"{server.url}/v1/targets/polise", timeout=10).status_code == 404


def test_an_open_breaker_is_shown_and_closes_by_itself(server: ServerProcess, receiver: Receiver) -> None:
    receiver.status = 503
    decide(server, *(f"B-{number}" for number in range(20)))
    until(lambda: get(server, "/v1/targets/police")["breaker"]["state"] == "open")
    shown = get(server, "/v1/targets/police")["breaker"]
    assert shown["reason"] == "HTTP 503"
    assert shown["until"] > shown["since"]
    until(lambda: "target police: the breaker is open: HTTP 503" in get(server, "/health")["problems"])
    receiver.status = 204
    until(lambda: len(get(server, "/v1/commands?state=done")["commands"]) == 40)
    assert get(server, "/v1/targets/police")["breaker"]["state"] == "closed"
    for what in ("opened", "closed"):
        events = get(server, f"/v1/events?type=orchestrator.target.{what}")["events"]
        assert {event["subject"] for event in events} == {"police"}


def test_of_what_is_parked_people_are_told_by_an_alert_in_the_log(server: ServerProcess, receiver: Receiver) -> None:
    receiver.status = 400
    try:
        decide(server, "C-1")
        until(lambda: get(server, "/v1/commands?to=alerts&state=done")["commands"])
    finally:
        receiver.status = 204
    (alert,) = get(server, "/v1/commands?to=alerts")["commands"]
    assert (alert["command"], alert["rule"], alert["key"]) == ("alert", "orchestrator.alarm", "C-1")
    assert alert["args"]["text"].startswith("a command to police was parked and needs a decision: HTTP 400")
