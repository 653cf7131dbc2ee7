"""Workers elsewhere take commands over HTTP and say what became of them, in one process."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import requests

from orchestrator.cli.workers import COLUMNS
from tests.crash.processes import ORCHESTRATOR, ServerProcess, serving

RULES = """
ruleset: fines
rules:
  speeding:
    on: car.measured
    when: event.data.speed > 130
    then: [{command: fine, to: police, args: {plate: "${event.subject}"}}]
  bill:
    on: order.placed
    then: [{command: bill, to: bank, timeout: 7s}]
  print:
    on: note
    then: [{command: print, to: log}]
"""
TARGETS = """
targets:
  police: {kind: webhook, url: "https://police.example/fines", secret: "env:NO_SUCH_SECRET", deliver: workers,
           retry: {initial: 10ms, max: 10ms, attempts: 3}}
  bank: {kind: worker}
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with serving(tmp_path_factory.mktemp("door"), RULES, TARGETS) as running:
        yield running


class Worker:
    def __init__(self, server: ServerProcess) -> None:
        self.url = f"{server.url}/v1/commands"
        self._events = f"{server.url}/v1/events"
        self.http = requests.Session()

    def decide(self, *plates: str, type: str = "car.measured") -> None:
        events = [
            {"id": f"{plate}{type}", "source": "cam", "type": type, "subject": plate, "data": {"speed": 150}}
            for plate in plates
        ]
        self.http.post(self._events, json=events, timeout=10).raise_for_status()

    def ask(self, path: str, **body: Any) -> tuple[int, Any]:
        answer = self.http.post(f"{self.url}/{path}", json=body, timeout=40)
        return answer.status_code, answer.json()

    def lease(self, count: int = 1, target: str = "police", **asked: Any) -> list[dict[str, Any]]:
        """Exactly so many."""
        found: list[dict[str, Any]] = []
        while len(found) < count:
            body = {"target": target, "limit": count - len(found), "wait": "10s", **asked}
            status, said = self.ask("lease", **body)
            assert (status, bool(said["commands"])) == (200, True), said
            found += said["commands"]
        return found

    def show(self, id: str, **wanted: Any) -> dict[str, Any]:
        """As the query tables show it, once they show that."""
        for _ in range(200):
            found: dict[str, Any] = self.http.get(f"{self.url}/{id}", timeout=10).json()
            if {name: found.get(name) for name in wanted} == wanted:
                return found
            time.sleep(0.02)
        raise AssertionError(f"{found} is not {wanted}")

    def rest(self, target: str = "police") -> None:
        """Nothing is left to do."""
        assert self.ask("lease", target=target) == (200, {"commands": []})


@pytest.fixture
def worker(server: ServerProcess) -> Iterator[Worker]:
    made = Worker(server)
    yield made
    made.rest()
    made.rest("bank")
    made.http.close()


def test_a_command_is_taken_with_all_that_was_decided_and_done_once(worker: Worker) -> None:
    worker.decide("A1")
    (found,) = worker.lease(lease="30s", worker="w1")
    command = found["command"]
    assert (command["id"], command["command"], command["args"]) == (found["id"], "fine", {"plate": "A1"})
    assert (found["target"], found["attempt"], found["headers"], found["timeout"]) == ("police", 1, {}, None)
    assert "progress" not in found
    worker.show(found["id"], state="in_flight", lease_until=found["deadline"])
    said = {"token": found["token"], "result": {"number": 10**30}, "status": "200", "took": 0.25, "worker": "w1"}
    assert worker.ask(f"{found['id']}/ack", **said) == (200, {"id": found["id"], "state": "done"})
    shown = worker.show(found["id"], state="done")
    assert (shown["result"], shown["attempts"]) == ({"number": 10**30}, 1)
    (attempt,) = shown["history"]
    assert (attempt["outcome"], attempt["status"], attempt["seconds"]) == ("done", "200", 0.25)


def test_said_twice_it_is_answered_as_before_and_something_else_is_refused(worker: Worker) -> None:
    worker.decide("B1")
    (found,) = worker.lease()
    id, token = found["id"], found["token"]
    for _ in range(3):
        assert worker.ask(f"{id}/ack", token=token) == (200, {"id": id, "state": "done"})
    status, problem = worker.ask(f"{id}/fail", token=token, reason="no")
    assert (status, problem["code"]) == (409, "lease-lost")
    assert worker.ask(f"{id}/extend", token=token)[0] == 409
    worker.show(id, state="done", attempts=1)


def test_what_fails_is_tried_again_until_it_is_parked(worker: Worker) -> None:
    worker.decide("C1")
    for attempt in (1, 2, 3):
        (found,) = worker.lease()
        assert found["attempt"] == attempt
        state = "parked" if attempt == 3 else "retrying"
        said = {"token": found["token"], "reason": "HTTP 503", "status": "503"}
        for _ in range(2):
            assert worker.ask(f"{found['id']}/fail", **said) == (200, {"id": found["id"], "state": state})
    shown = worker.show(found["id"], state="parked", attempts=3)
    assert [each["status"] for each in shown["history"]] == ["503"] * 3


def test_what_is_final_is_parked_at_once(worker: Worker) -> None:
    worker.decide("D1", "D2")
    for found, said in zip(worker.lease(2), ({"final": True}, {"verdict": "final"}), strict=True):
        answer = worker.ask(f"{found['id']}/fail", token=found["token"], reason="no such plate", result=["x"], **said)
        assert answer == (200, {"id": found["id"], "state": "parked"})
        worker.show(found["id"], last_error="no such plate", attempts=1, result=["x"])


def test_what_is_given_back_counts_no_attempt_and_comes_again_at_once(worker: Worker) -> None:
    worker.decide("E1")
    (first,) = worker.lease()
    id = first["id"]
    for _ in range(2):
        said = worker.ask(f"{id}/fail", token=first["token"], reason="", verdict="returned")
        assert said == (200, {"id": id, "state": "pending"})
    (second,) = worker.lease()
    assert (second["attempt"], second["token"] != first["token"]) == (1, True)
    assert worker.ask(f"{id}/fail", token=first["token"], reason="", verdict="returned")[0] == 409
    said = worker.ask(f"{id}/fail", token=second["token"], reason="busy", verdict="deferred", retry_after="300ms")
    assert said == (200, {"id": id, "state": "pending"})
    began = time.monotonic()
    (third,) = worker.lease()
    assert (third["attempt"], time.monotonic() - began > 0.2) == (1, True)
    worker.ask(f"{id}/ack", token=third["token"])


def test_what_waits_for_its_result_comes_again_with_what_was_left(worker: Worker) -> None:
    worker.decide("F1")
    (first,) = worker.lease()
    id = first["id"]
    said = {"verdict": "waiting", "reason": "it runs", "progress": {"run": [1]}, "retry_after": "10ms"}
    assert worker.ask(f"{id}/fail", token=first["token"], **said) == (200, {"id": id, "state": "waiting"})
    (second,) = worker.lease()
    assert second["progress"] == {"run": [1]}
    assert worker.ask(f"{id}/ack", token=second["token"]) == (200, {"id": id, "state": "done"})
    worker.show(id, state="done", attempts=1)


def test_a_lease_that_runs_out_goes_to_another_and_the_late_answer_changes_nothing(worker: Worker) -> None:
    worker.decide("G1")
    (late,) = worker.lease(lease="1s")
    (other,) = worker.lease()
    id = late["id"]
    assert (other["id"], other["attempt"]) == (id, 2)
    status, problem = worker.ask(f"{id}/ack", token=late["token"], result="late")
    assert (status, problem["code"]) == (409, "lease-lost")
    assert "drop the command" in problem["detail"]
    assert worker.ask(f"{id}/fail", token=late["token"], reason="x")[0] == 409
    assert worker.ask(f"{id}/extend", token=late["token"])[0] == 409
    assert worker.ask(f"{id}/ack", token=other["token"], result="good")[0] == 200
    shown = worker.show(id, state="done", result="good", attempts=2)
    assert [each["outcome"] for each in shown["history"]] == ["lease_expired", "done"]


def test_a_lease_that_is_extended_lasts(worker: Worker) -> None:
    worker.decide("H1")
    (found,) = worker.lease(lease="1s")
    id, token = found["id"], found["token"]
    for _ in range(4):
        status, said = worker.ask(f"{id}/extend", token=token, lease="1s")
        assert (status, said["id"], said["deadline"] > found["deadline"]) == (200, id, True)
        token = said["token"]
        time.sleep(0.4)
    worker.rest()
    assert worker.ask(f"{id}/ack", token=token)[0] == 200
    worker.show(id, state="done", attempts=1)


def test_many_outcomes_go_in_one_request_and_each_has_its_answer(worker: Worker) -> None:
    worker.decide(*(f"J{number}" for number in range(30)))
    found = worker.lease(30)
    first, second, third, *others = found
    said: list[dict[str, Any]] = [{"id": each["id"], "token": each["token"], "verdict": "done"} for each in others]
    said.append({"id": first["id"], "token": first["token"], "verdict": "final", "reason": "no"})
    said.append({"id": second["id"], "token": third["token"], "verdict": "done"})  # not the token of this one
    said.append({"id": third["id"], "token": "nonsense", "verdict": "done"})
    status, answered = worker.ask("outcomes", outcomes=said, worker="w1")
    assert status == 200
    answers = answered["answers"]
    assert [each["id"] for each in answers] == [each["id"] for each in said]
    assert [each.get("state") or each["error"] for each in answers] == ["done"] * 27 + ["parked"] + ["lease-lost"] * 2
    assert worker.ask("outcomes", outcomes=[]) == (200, {"answers": []})
    for each in (second, third):
        assert worker.ask(f"{each['id']}/ack", token=each["token"])[0] == 200


def test_a_command_says_how_long_its_attempt_may_take(worker: Worker) -> None:
    worker.decide("K1", type="order.placed")
    (found,) = worker.lease(target="bank")
    assert (found["target"], found["timeout"]) == ("bank", 7.0)
    assert worker.ask(f"{found['id']}/ack", token=found["token"])[0] == 200


def test_who_waits_is_answered_when_something_comes(worker: Worker) -> None:
    answers: list[tuple[int, Any]] = []
    waiting = threading.Thread(target=lambda: answers.append(Worker.ask(worker, "lease", target="police", wait="30s")))
    waiting.start()
    time.sleep(0.3)
    assert answers == []
    requests.post(
        worker.url.replace("commands", "events"),
        json={"id": "L1", "source": "cam", "type": "car.measured", "subject": "L1", "data": {"speed": 200}},
        timeout=10,
    ).raise_for_status()
    waiting.join(10)
    ((status, said),) = answers
    (found,) = said["commands"]
    assert (status, found["command"]["key"]) == (200, "L1")
    assert worker.ask(f"{found['id']}/ack", token=found["token"])[0] == 200


def test_who_goes_away_while_it_waits_takes_nothing(worker: Worker, server: ServerProcess) -> None:
    with pytest.raises(requests.exceptions.ReadTimeout):
        requests.post(f"{worker.url}/lease", json={"target": "police", "wait": "30s"}, timeout=0.3)
    worker.decide("M1")
    (found,) = worker.lease()
    assert found["attempt"] == 1
    assert worker.ask(f"{found['id']}/ack", token=found["token"])[0] == 200


def test_workers_are_shown_with_what_became_of_their_work(worker: Worker, server: ServerProcess) -> None:
    name = "w 7\x1b[1m"
    worker.decide("N1", "N2", "N3")
    first, second, third = worker.lease(3, worker=name, lease="1s")
    assert worker.ask(f"{first['id']}/ack", token=first["token"])[0] == 200
    assert worker.ask(f"{second['id']}/fail", token=second["token"], reason="no", final=True)[0] == 200

    def shown() -> dict[str, Any]:
        found = worker.http.get(f"{server.url}/v1/workers", timeout=10).json()["workers"]
        (mine,) = [each for each in found if each["name"] == name]
        assert [each["name"] for each in found] == sorted(each["name"] for each in found)
        return dict(mine)

    before = shown()
    assert time.time() - 5 < datetime.fromisoformat(before.pop("last_seen")).timestamp() < time.time()
    counts = {"leased": 3, "done": 1, "failed": 1, "failure_rate": 0.5}
    assert before == {"name": name, "targets": ["police"], "in_flight": 1, **counts}
    (again,) = worker.lease()
    assert again["id"] == third["id"]
    assert shown().items() >= {"in_flight": 0, "failed": 2, "failure_rate": 0.6667}.items()
    assert worker.ask(f"{again['id']}/ack", token=again["token"])[0] == 200
    printed = subprocess.run(
        [*ORCHESTRATOR, "workers", "list", "--url", server.url], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert printed[0].split() == list(COLUMNS)
    (line,) = [line for line in printed if line.startswith("w 7")]
    assert ("\x1b" not in line, line.split()[-5:]) == (True, ["0", "3", "1", "2", "66.7%"])
    listed = subprocess.run(
        [*ORCHESTRATOR, "workers", "list", "--url", server.url, "--json"], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert shown()["failed"] in [json.loads(each)["failed"] for each in listed]


def test_many_workers_share_what_there_is(worker: Worker) -> None:
    """More than there is work for: each command goes to one, and who gets none is told."""
    worker.decide(*(f"P{number}" for number in range(200)))
    found: list[dict[str, Any]] = []
    errors: list[Any] = []

    def work(number: int) -> None:
        http = requests.Session()
        idle = 0
        while idle < 2:
            body = {"target": "police", "limit": 3, "wait": "1s", "worker": f"flood {number}"}
            answer = http.post(f"{worker.url}/lease", json=body, timeout=40)
            if answer.status_code != 200:
                errors.append(answer.json())
                return
            leased = answer.json()["commands"]
            idle = 0 if leased else idle + 1
            for each in leased:
                found.append(each)
                said = {"outcomes": [{"id": each["id"], "token": each["token"], "verdict": "done"}]}
                settled = http.post(f"{worker.url}/outcomes", json=said, timeout=40).json()["answers"]
                errors.extend(each for each in settled if each.get("state") != "done")

    threads = [threading.Thread(target=work, args=(number,)) for number in range(60)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert errors == []
    assert (len(found), len({each["id"] for each in found})) == (200, 200)
    assert {each["attempt"] for each in found} == {1}


@pytest.mark.parametrize(
    ("path", "body", "status", "detail"),
    [
        ("lease", {}, 400, "`target` is missing: the name of a target with `deliver: workers`"),
        ("lease", {"target": "nobody"}, 404, "there is no target `nobody`: declare it"),
        ("lease", {"target": "log"}, 409, "servers deliver to target `log` themselves: give it `deliver: workers`"),
        ("lease", {"target": "police", "limit": 0}, 400, "limit: `0` is not possible: choose at least 1"),
        ("lease", {"target": "police", "limit": 1001}, 400, "limit: `1001` is not possible: choose at most 1000"),
        ("lease", {"target": "police", "lease": "10ms"}, 400, "lease: `10ms` is not possible: choose at least 1"),
        ("lease", {"target": "police", "lease": "1h"}, 400, "lease: `1h` is not possible: choose at most 600"),
        ("lease", {"target": "police", "wait": "31s"}, 400, "wait: `31s` is not possible: choose at most 30"),
        ("lease", {"target": "police", "wait": 3}, 400, "wait: `3` is not possible: write a duration with its unit"),
        ("lease", {"target": "police", "time": 3}, 400, "there is no field `time`: use target, limit, lease, wait"),
        ("ab/ack", {"token": "AQAA"}, 409, "the lease of this command is over"),
        ("ab/ack", {"token": "é"}, 409, "the lease of this command is over"),
        ("ab/fail", {"token": "AQAA", "reason": "", "verdict": "done"}, 400, "verdict: `done` is not possible: choose"),
        ("ab/fail", {"token": "A", "reason": "", "progress": "x" * 70_000}, 413, "`progress` has more than the 65,536"),
        ("ab/extend", {"token": "AQAA", "lease": "0s"}, 400, "lease: `0s` is not possible: choose at least 1"),
        ("outcomes", {"outcomes": [{"id": "a"}]}, 400, "`outcomes.0.token` is missing"),
    ],
)
def test_what_makes_no_sense_is_refused_with_what_does(
    worker: Worker, path: str, body: dict[str, Any], status: int, detail: str
) -> None:
    found, problem = worker.ask(path, **body)
    assert found == status
    assert problem["detail"].startswith(detail)


def test_who_waits_when_the_server_stops_is_answered(tmp_path: Path) -> None:
    with serving(tmp_path, RULES, TARGETS) as server:
        answers: list[requests.Response] = []
        body = {"target": "police", "wait": "30s"}
        waiting = threading.Thread(
            target=lambda: answers.append(requests.post(f"{server.url}/v1/commands/lease", json=body, timeout=40))
        )
        waiting.start()
        time.sleep(0.5)
        began = time.monotonic()
        assert server.end(15) == 0
        waiting.join(10)
        assert time.monotonic() - began < 8
        assert (answers[0].status_code, answers[0].json()) == (200, {"commands": []})


def test_a_lease_outlives_the_server_that_gave_it(tmp_path: Path) -> None:
    with serving(tmp_path, RULES, TARGETS) as server:
        worker = Worker(server)
        worker.decide("A", "B")
        found = worker.lease(2, lease="8s")
        server.kill()
        server.spawn(ORCHESTRATOR_LEASE="1")
        server.wait_ready()
        first, second = found
        for _ in range(40):
            status, said = worker.ask(f"{first['id']}/ack", token=first["token"])
            if status != 503:
                break
            time.sleep(0.2)
        assert (status, said) == (200, {"id": first["id"], "state": "done"})
        (other,) = worker.lease(wait="20s")  # nobody gave the second back, and nobody is given it before its time
        assert (other["id"], other["attempt"], other["deadline"] > second["deadline"]) == (second["id"], 2, True)
        shown = worker.show(second["id"], attempts=2)
        assert [each["outcome"] for each in shown["history"]] == ["lease_expired"]
