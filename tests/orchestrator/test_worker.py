"""`orchestrator worker` delivers what servers leave to workers: a real server, a real receiver of webhooks."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any, TypeVar

import pytest
import requests

from tests.crash.processes import ORCHESTRATOR, ServerProcess, WorkerProcess, serving

RULES = """
ruleset: fines
rules:
  speeding:
    on: car.measured
    then: [{command: fine, to: police, args: {plate: "${event.subject}"}}]
  bill:
    on: order.placed
    then: [{command: bill, to: bank}]
"""
TARGETS = """
targets:
  police: {{kind: webhook, url: "http://127.0.0.1:{port}/", secret: "env:POLICE_SECRET", alarm: off,
           allow: [127.0.0.1/32],
           deliver: workers, retry: {{initial: 10ms, max: 10ms, attempts: 3}}, concurrency: 4, timeout: {timeout}}}
  bank: {{kind: webhook, url: "http://127.0.0.1:{port}/bank", alarm: off, allow: [127.0.0.1/32]}}
  printer: {{kind: worker, alarm: off}}
"""
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
T = TypeVar("T")


class Receiver:
    """Answers 200, or as `statuses` says of a command's plate; waits for `gate`."""

    def __init__(self) -> None:
        self.got: list[tuple[str, str]] = []
        """(id, plate)"""
        self.statuses: dict[str, list[int]] = {}
        self.answers: dict[str, bytes] = {}
        self.gate = Event()
        self.gate.set()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                plate = body.split(b'"plate":"')[-1].split(b'"')[0].decode()
                receiver.got.append((self.headers["webhook-id"], plate))
                receiver.gate.wait(30)
                left = receiver.statuses.get(plate)
                body = receiver.answers.get(plate, b"")
                self.send_response(left.pop(0) if left else 200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_port
        self._thread = Thread(target=self._server.serve_forever)
        self._thread.start()

    def close(self) -> None:
        self.gate.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)

    def plates(self) -> list[str]:
        return [plate for _, plate in self.got]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


@pytest.fixture
def server(tmp_path: Path, receiver: Receiver) -> Iterator[ServerProcess]:
    with serving(tmp_path, RULES, TARGETS.format(port=receiver.port, timeout="15s")) as running:
        yield running


@contextmanager
def working(
    server: ServerProcess, *options: str, wait: bool = True, name: str = "worker", **settings: str
) -> Iterator[WorkerProcess]:
    folder = server.errors.parent
    made = WorkerProcess(folder, folder / "targets.yaml", server.url, *options, name=name)
    try:
        made.spawn(**{"POLICE_SECRET": SECRET, "FRAMEWORK": "webhook", **settings})
        made.wait_ready()
        if wait:
            until(lambda: requests.get(f"{made.addresses['http']}/ready", timeout=10).ok)
        yield made
    finally:
        made.clean_up()


def until(look: Callable[[], T], within: float = 20.0) -> T:
    end = time.monotonic() + within
    while not (found := look()):
        assert time.monotonic() < end, f"not within {within} s"
        time.sleep(0.02)
    return found


def decide(server: ServerProcess, *plates: str) -> None:
    decide_all(server, "car.measured", [(plate, {}) for plate in plates])


def decide_all(server: ServerProcess, type: str, said: list[tuple[str, dict[str, Any]]]) -> None:
    """One event for each (subject, data)."""
    events = [{"id": key, "source": "test", "type": type, "subject": key, "data": data} for key, data in said]
    requests.post(f"{server.url}/v1/events", json=events, timeout=10).raise_for_status()


def commands(server: ServerProcess, state: str) -> list[dict[str, Any]]:
    query = {"state": state, "limit": "1000"}
    found: list[dict[str, Any]] = requests.get(f"{server.url}/v1/commands", query, timeout=10).json()["commands"]
    return found


def health(worker: WorkerProcess) -> dict[str, Any]:
    answer = requests.get(f"{worker.addresses['http']}/health", timeout=10)
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


def refused(server: ServerProcess, *options: str, **settings: str) -> tuple[int, str]:
    folder = server.errors.parent
    command = [*ORCHESTRATOR, "worker", "--targets", str(folder / "targets.yaml"), *options]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=30, env={"PATH": "", **settings})
    assert ended.stdout == ""
    return ended.returncode, ended.stderr


def test_a_worker_delivers_with_the_same_adapter_and_says_what_became_of_it(
    server: ServerProcess, receiver: Receiver
) -> None:
    receiver.statuses = {"R1": [503, 503], "F1": [404], "P1": [500, 500, 500]}
    plates = [f"A{number}" for number in range(100)]
    decide(server, *plates, "R1", "F1", "P1")
    with working(server) as worker:
        until(lambda: len(commands(server, "done")) == 101 and len(commands(server, "parked")) == 2)
        found = {each["key"]: each for each in commands(server, "done") + commands(server, "parked")}
        assert (found["R1"]["attempts"], found["F1"]["attempts"], found["P1"]["attempts"]) == (3, 1, 3)
        assert "404" in found["F1"]["last_error"]
        assert sorted(receiver.plates()) == sorted([*plates, "R1", "R1", "R1", "F1", "P1", "P1", "P1"])
        assert len(set(receiver.got)) == 103, "the same id at every attempt"
        said = health(worker)
        (target,) = said.pop("targets")
        assert target == {**target, "name": "police", "kind": "webhook", "attempts": 107, "done": 101, "held": 0}
        assert said.keys() == {"status", "problems", "worker", "server"}
        assert (said["status"], said["server"]) == ("ok", server.url)
        text = requests.get(worker.addresses["metrics"], timeout=10).text
        assert 'orchestrator_worker_outcomes_total{answer="stored"} 107.0' in text
        attempts = "orchestrator_delivery_attempt_seconds_count"
        assert f'{attempts}{{target="police",verdict="done"}} 101.0' in text
        assert 'orchestrator_worker_held_commands{target="police"} 0.0' in text
        assert worker.end(signal.SIGTERM) == 0, worker.said()


def test_what_is_being_sent_when_it_is_told_to_stop_is_finished_and_the_rest_is_given_back(
    server: ServerProcess, receiver: Receiver
) -> None:
    receiver.gate.clear()
    with working(server) as worker:
        decide(server, *(f"B{number}" for number in range(50)))
        until(lambda: len(receiver.got) == 4)
        worker.process.send_signal(signal.SIGTERM)
        until(lambda: "the worker stops" in requests.get(f"{worker.addresses['http']}/ready", timeout=10).text)
        until(lambda: len(commands(server, "pending")) == 46)
        receiver.gate.set()
        assert worker.process.wait(20) == 0, worker.said()
    until(lambda: len(commands(server, "done")) == 4)
    assert len(receiver.got) == 4
    with working(server, name="another"):
        until(lambda: len(commands(server, "done")) == 50)
    assert {each["attempts"] for each in commands(server, "done")} == {1}
    assert len(receiver.got) == 50


def test_what_takes_longer_than_its_lease_is_kept(server: ServerProcess, receiver: Receiver) -> None:
    receiver.gate.clear()
    with working(server, ORCHESTRATOR_WORKER_LEASE="5s"):
        decide(server, "C1")
        until(lambda: receiver.got)
        time.sleep(7)
        receiver.gate.set()
        (done,) = until(lambda: commands(server, "done"))
    assert (done["attempts"], len(receiver.got)) == (1, 1)


def test_a_worker_that_was_killed_costs_one_attempt_and_another_delivers(
    server: ServerProcess, receiver: Receiver
) -> None:
    receiver.gate.clear()
    with working(server, ORCHESTRATOR_WORKER_LEASE="5s") as worker:
        decide(server, "D1")
        until(lambda: receiver.got)
        worker.kill()
    receiver.gate.set()
    with working(server, name="another"):
        (done,) = until(lambda: commands(server, "done"))
    assert (done["attempts"], len(set(receiver.got)), len(receiver.got)) == (2, 1, 2)


def test_a_worker_that_was_frozen_beyond_its_leases_sends_nothing_that_another_was_given(
    server: ServerProcess, receiver: Receiver
) -> None:
    with working(server, ORCHESTRATOR_WORKER_LEASE="5s") as frozen:
        decide(server, *(f"J{number}" for number in range(100)))
        until(lambda: len(commands(server, "done")) == 100)  # it has seen how fast it goes, and takes more ahead
        receiver.gate.clear()
        receiver.got.clear()
        decide(server, *(f"K{number}" for number in range(30)))
        until(lambda: len(receiver.got) == 4 and len(commands(server, "in_flight")) == 30)
        frozen.process.send_signal(signal.SIGSTOP)
        receiver.gate.set()
        with working(server, name="another", ORCHESTRATOR_WORKER_LEASE="5s"):
            until(lambda: len(commands(server, "done")) == 130, within=30)
            assert len(receiver.got) == 34, "what was being sent is sent again, with the same id"
            frozen.process.send_signal(signal.SIGCONT)
            until(lambda: health(frozen)["targets"][0]["held"] == 0)
            text = requests.get(frozen.addresses["metrics"], timeout=10).text
            assert 'orchestrator_worker_outcomes_total{answer="refused"} ' in text
            assert (len(receiver.got), len(set(receiver.got))) == (34, 30)
    assert {each["attempts"] for each in commands(server, "done") if each["key"].startswith("K")} <= {2, 3}


def test_a_server_that_is_away_is_waited_for_and_told_when_it_is_back(
    server: ServerProcess, receiver: Receiver
) -> None:
    receiver.gate.clear()
    with working(server) as worker:
        decide(server, "E1")
        until(lambda: receiver.got)
        server.kill()
        receiver.gate.set()
        until(lambda: requests.get(f"{worker.addresses['http']}/ready", timeout=10).status_code == 503)
        said = health(worker)
        assert said["status"] == "degraded"
        assert f"{server.url} cannot be reached" in said["problems"][0]
        server.spawn()
        server.wait_ready()
        (done,) = until(lambda: commands(server, "done"))
        assert (done["attempts"], len(receiver.got)) == (1, 1)
        decide(server, "E2")
        until(lambda: len(commands(server, "done")) == 2)
        until(lambda: requests.get(f"{worker.addresses['http']}/ready", timeout=10).ok)


def test_a_worker_may_start_before_its_server_and_end_without_it(tmp_path: Path, receiver: Receiver) -> None:
    with serving(tmp_path, RULES, TARGETS.format(port=receiver.port, timeout="1s")) as server:
        server.kill()
        with working(server, wait=False) as worker:
            ready = requests.get(f"{worker.addresses['http']}/ready", timeout=10)
            assert ready.status_code == 503
            assert ready.json()["waiting_for"][0].startswith("target police: ")
            server.spawn()
            server.wait_ready()
            decide(server, "G1")
            until(lambda: commands(server, "done"))
            server.kill()
            assert worker.end(signal.SIGTERM) == 0, worker.said()


def test_what_is_done_stays_done_where_a_server_takes_no_answer_of_that_length(
    tmp_path: Path, receiver: Receiver
) -> None:
    receiver.answers = {"L1": b'"' + b"x" * 2000 + b'"', "S1": b'"short"'}
    plates = [f"H{number}" for number in range(30)]
    targets = TARGETS.format(port=receiver.port, timeout="15s")
    with serving(tmp_path, RULES, targets, ORCHESTRATOR_MAX_BODY="1024") as server:
        for plate in (*plates, "L1", "S1"):
            decide(server, plate)
        with working(server):
            until(lambda: len(commands(server, "done")) == 32)
        done = {each["key"]: each for each in commands(server, "done")}
        assert {each["attempts"] for each in done.values()} == {1}
        assert len(receiver.got) == 32
        assert "short" in str(done["S1"]["result"])
        assert "413" in done["L1"]["result"]["unreadable"]


@pytest.mark.parametrize(
    ("options", "settings", "status", "text"),
    [
        ([], {}, 2, "no targets: name them with --target, or their kind with --framework or FRAMEWORK"),
        ([], {"FRAMEWORK": "webhook"}, 1, "target `police`, `secret`: POLICE_SECRET is not set"),
        ([], {"FRAMEWORK": "spark"}, 1, "FRAMEWORK=spark: there is no such kind of target: "),
        ([], {"FRAMEWORK": "log"}, 1, "no target of kind `log` is left to workers: give one `deliver: workers`"),
        (["--target", "polite"], {}, 1, "there is no target `polite`: did you mean `police`?"),
        (["--target", "bank"], {}, 1, "servers deliver to target `bank`: give it `deliver: workers`"),
        (["--target", "printer"], {"FRAMEWORK": "webhook"}, 1, "is of kind `worker`, and FRAMEWORK is webhook"),
        (["--target", "police"], {"ORCHESTRATOR_WORKER_LEASE": "1s"}, 2, "choose at least 5"),
        (["--target", "police"], {"ORCHESTRATOR_URL": "here"}, 2, "write an address such as http://127.0.0.1:8000"),
    ],
)
def test_what_it_cannot_work_with_is_refused_with_a_remedy(
    server: ServerProcess, options: list[str], settings: dict[str, str], status: int, text: str
) -> None:
    found = refused(server, *options, **settings)
    assert (found[0], text in found[1]) == (status, True), found


def test_a_target_of_which_no_server_knows_is_told_by_its_probes(server: ServerProcess) -> None:
    targets = server.errors.parent / "targets.yaml"
    targets.write_text(targets.read_text().replace("  police:", "  polizei:"))
    with working(server, wait=False) as worker:
        (why,) = until(lambda: _troubles(worker, "there is no target `polizei`"))
        assert "declare it in the targets file and restart" in why


def _troubles(worker: WorkerProcess, text: str) -> list[str]:
    found: list[str] = requests.get(f"{worker.addresses['http']}/ready", timeout=10).json()["waiting_for"]
    return [each for each in found if text in each]


def test_a_server_refuses_to_be_a_worker(server: ServerProcess) -> None:
    command = [*ORCHESTRATOR, "server", "--rules", str(server.errors.parent / "rules.yaml")]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=30, env={"FRAMEWORK": "webhook"})
    assert ended.returncode == 2
    assert "FRAMEWORK=webhook: this server would evaluate instead" in ended.stderr
    assert "start `orchestrator worker` with it" in ended.stderr
