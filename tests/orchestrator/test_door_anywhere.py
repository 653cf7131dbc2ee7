"""Workers elsewhere and several servers of one log in a real Redis: any server answers, whoever delivers."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
import requests

from orchestrator.door import names
from streams.backends.open import open_log
from streams.event import RESULT
from streams.log import Log
from tests.conformance.backends import redis_url
from tests.crash.processes import ServerProcess
from tests.orchestrator.test_door import Worker

RULES = """
ruleset: fines
rules:
  speeding:
    on: car.measured
    then: [{command: fine, to: police}]
"""
TARGETS = "targets: {police: {kind: worker, retry: {initial: 10ms, max: 10ms, attempts: 50}}}\n"
PARTITIONS = 6
WAIT = 40.0
"""Seconds in which anything must have happened."""


class Servers:
    def __init__(self, folder: Path, url: str, ends: ExitStack, rules: str = RULES, targets: str = TARGETS) -> None:
        (folder / "rules.yaml").write_text(rules)
        (folder / "targets.yaml").write_text(targets)
        self._folder = folder
        self._url = url
        self._ends = ends
        self._count = 0

    def start(self, roles: str = "api,agent,delivery", **settings: str) -> ServerProcess:
        made = self.spawn(roles, **settings)
        made.wait_ready()
        return made

    def spawn(self, roles: str = "api,agent,delivery", **settings: str) -> ServerProcess:
        self._count += 1
        made = ServerProcess(
            self._folder,
            self._folder / "rules.yaml",
            self._folder / "targets.yaml",
            PARTITIONS,
            log=self._url,
            name=f"server{self._count}",
            options=["--lease", "1s", "--roles", roles],
        )
        self._ends.callback(made.clean_up)
        made.spawn(**settings)
        return made


@pytest.fixture
def redis(tmp_path: Path) -> str:
    return redis_url("single", tmp_path)


@pytest.fixture
def log(redis: str) -> Iterator[Log]:
    with closing(open_log(redis, partitions=PARTITIONS, now=lambda: 0)) as opened:
        yield opened


@pytest.fixture
def servers(tmp_path: Path, redis: str) -> Iterator[Servers]:
    with ExitStack() as ends:
        yield Servers(tmp_path, redis, ends)


def deliverers(log: Log) -> list[str | None]:
    return [status.deliverer for status in log.status()]


def wait_for(condition: Any) -> None:
    until = time.monotonic() + WAIT
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.05)


def told(log: Log) -> Counter[str]:
    """Result → how often it was told."""
    return Counter(
        f"{each.type.rpartition('.')[2]} {each.payload()['id']}"
        for partition in range(PARTITIONS)
        for each in log.read(partition, 0, 100_000).events
        if each.kind == RESULT
    )


def settle(worker: Worker, found: list[dict[str, Any]], verdict: str = "done") -> list[str]:
    """What is answered to each in the end, said again for as long as nobody has its partition."""
    said = {each["id"]: {"id": each["id"], "token": each["token"], "verdict": verdict} for each in found}
    answers: dict[str, str] = {}
    until = time.monotonic() + WAIT
    while said:
        assert time.monotonic() < until, said
        status, answered = worker.ask("outcomes", outcomes=list(said.values()))
        if status == 503:
            time.sleep(0.2)
            continue
        assert status == 200, answered
        for each in answered["answers"]:
            if each.get("error") != "unavailable":
                answers[each["id"]] = each.get("state") or each["error"]
                del said[each["id"]]
        time.sleep(0.05)
    return [answers[each["id"]] for each in found]


@pytest.mark.timeout(120)
def test_what_is_leased_at_one_server_is_settled_at_another(servers: Servers, log: Log) -> None:
    one, two = servers.start(), servers.start()
    wait_for(lambda: len(set(deliverers(log))) == 2 and None not in deliverers(log))
    here, there = Worker(one), Worker(two)
    here.decide(*(f"A{number}" for number in range(40)))
    found = here.lease(40)
    assert len({each["id"] for each in found}) == 40
    assert settle(there, found[:30]) == ["done"] * 30
    assert settle(there, found[:30]) == ["done"] * 30  # said again
    assert settle(here, found[:30], "final") == ["lease-lost"] * 30
    for each in found[30:]:
        assert there.ask(f"{each['id']}/extend", token=each["token"], lease="1m")[0] == 200
        assert here.ask(f"{each['id']}/ack", token=each["token"])[0] == 200
    assert told(log) == Counter(f"succeeded {each['id']}" for each in found)
    for each in (here, there):
        (shown,) = each.http.get(each.url.replace("commands", "workers"), timeout=10).json()["workers"]
        assert (shown["leased"], shown["done"], shown["in_flight"]) == (40, 40, 0)


@pytest.mark.timeout(120)
def test_a_server_that_delivers_nothing_answers_workers_too(servers: Servers, log: Log) -> None:
    api = servers.start("api")
    worker = Worker(api)
    assert worker.ask("lease", target="police", wait="1s") == (200, {"commands": []})
    servers.start("agent,delivery")
    servers.start("agent,delivery")
    worker.decide(*(f"B{number}" for number in range(20)))
    found = worker.lease(20)
    assert settle(worker, found) == ["done"] * 20
    assert told(log) == Counter(f"succeeded {each['id']}" for each in found)


@pytest.mark.timeout(120)
def test_who_waits_at_one_server_gets_what_another_delivers(servers: Servers, log: Log) -> None:
    one, two = servers.start(), servers.start()
    wait_for(lambda: len(set(deliverers(log))) == 2 and None not in deliverers(log))
    waiting, other = Worker(one), Worker(two)
    for number in range(8):  # of different partitions
        answers: list[tuple[int, Any]] = []

        def wait(answers: list[tuple[int, Any]] = answers) -> None:
            answers.append(waiting.ask("lease", target="police", wait="30s"))

        thread = threading.Thread(target=wait)
        thread.start()
        time.sleep(0.2)
        began = time.monotonic()
        other.decide(f"C{number}")
        thread.join(20)
        assert time.monotonic() - began < 3.0
        ((status, said),) = answers
        assert (status, [each["attempt"] for each in said["commands"]]) == (200, [1])
        assert settle(waiting, said["commands"]) == ["done"]


@pytest.mark.timeout(120)
def test_what_two_servers_find_in_the_same_moment_is_given_to_who_waits_or_back(servers: Servers, log: Log) -> None:
    one, two = servers.start(), servers.start()
    wait_for(lambda: len(set(deliverers(log))) == 2 and None not in deliverers(log))
    workers, other = [Worker(one) for _ in range(12)], Worker(two)
    for number in range(3):
        with ThreadPoolExecutor(len(workers)) as threads:
            asked = {"target": "police", "limit": 1, "wait": "30s", "lease": "10m"}
            answers = [threads.submit(worker.ask, "lease", **asked) for worker in workers]
            time.sleep(0.2)
            other.decide(*(f"F{number}.{each}" for each in range(24)))
            found = [each for answer in answers for each in answer.result(40)[1]["commands"]]
        found += other.lease(24 - len(found), lease="10m")
        assert settle(other, found) == ["done"] * 24


@pytest.mark.timeout(180)
def test_leases_outlive_the_server_that_gave_them(servers: Servers, log: Log) -> None:
    one, two = servers.start(), servers.start()
    wait_for(lambda: len(set(deliverers(log))) == 2 and None not in deliverers(log))
    worker = Worker(one)
    worker.decide(*(f"D{number}" for number in range(60)))
    found = worker.lease(60, lease="2m")
    assert settle(worker, found[:10]) == ["done"] * 10
    two.kill()
    assert settle(worker, found) == ["done"] * 60
    assert told(log) == Counter(f"succeeded {each['id']}" for each in found)
    assert worker.ask("lease", target="police") == (200, {"commands": []})


@pytest.mark.timeout(180)
def test_what_nobody_answers_for_goes_to_others_after_the_server_is_gone_too(servers: Servers, log: Log) -> None:
    one, two = servers.start(), servers.start()
    wait_for(lambda: len(set(deliverers(log))) == 2 and None not in deliverers(log))
    worker = Worker(one)
    worker.decide(*(f"E{number}" for number in range(20)))
    lost = worker.lease(20, lease="3s")
    two.kill()
    found = worker.lease(20, lease="1m")
    assert {each["attempt"] for each in found} == {2}
    assert settle(worker, lost) == ["lease-lost"] * 20
    assert settle(worker, found) == ["done"] * 20
    assert told(log) == Counter(f"succeeded {each['id']}" for each in lost)


def test_an_address_of_another_machine_is_refused_with_the_remedy(servers: Servers, tmp_path: Path) -> None:
    with pytest.raises(AssertionError):  # it says nothing on stdout
        servers.start(ORCHESTRATOR_SIBLINGS_HOST="192.0.2.1")
    said = (tmp_path / "server1.errors.txt").read_text()
    assert "ORCHESTRATOR_SIBLINGS_HOST=192.0.2.1: Cannot assign requested address; choose an address of this" in said


@pytest.mark.timeout(120)
def test_who_cannot_read_the_log_is_not_answered_as_a_sibling(servers: Servers, log: Log) -> None:
    servers.start()
    wait_for(lambda: None not in deliverers(log))
    url = names.read(str(deliverers(log)[0])).url
    address, _, secret = url.rpartition("/")
    asked = ["police", 1, 30.0, 0.0, ""]
    assert requests.post(f"{address}/{secret}/lease", json=asked, timeout=10).json() == []
    assert requests.post(f"{address}/{secret[::-1]}/lease", json=asked, timeout=10).status_code == 404
    assert requests.post(f"{address}/{secret}/lease", json=["police"], timeout=10).status_code == 400
