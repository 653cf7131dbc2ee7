"""Servers are killed at random while workers take commands through whichever of them answers: each command ends in one
recorded outcome, and whoever was told that its outcome is stored is the one whose outcome it is."""

from __future__ import annotations

import random
import threading
import time
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
import requests

from streams.backends.open import open_log
from tests.conformance.backends import redis_url
from tests.crash.processes import ServerProcess
from tests.orchestrator.test_door_anywhere import PARTITIONS, Servers, told

COMMANDS = 600
WORKERS = 6
SERVERS = 3
WAIT = 120.0
"""Seconds in which everything must be done."""


class Worker(threading.Thread):
    """Takes a few, is now and then too slow or forgets what it has, and says what it did until it is answered."""

    def __init__(self, urls: list[str], number: int, over: threading.Event) -> None:
        super().__init__(daemon=True)
        self._urls = urls
        self._chance = random.Random(number)
        self._over = over
        self._http = requests.Session()
        self._name = f"w{number}"
        self.stored: list[tuple[str, str]] = []
        """(id, what this worker made of it) of each outcome that it was told is stored."""

    def run(self) -> None:
        while not self._over.is_set():
            asked = {"target": "police", "limit": self._chance.randint(1, 9), "lease": "2s", "wait": "500ms"}
            for each in (self._ask("lease", asked) or {}).get("commands", []):
                if self._chance.random() < 0.05:
                    continue
                if self._chance.random() < 0.03:
                    time.sleep(2.2)
                self._say(each, f"{self._name} {each['attempt']} {each['token']}")

    def _say(self, work: dict[str, Any], made: str) -> None:
        """Until it is known whether it is stored."""
        said = [{"id": work["id"], "token": work["token"], "verdict": "done", "result": made}]
        while not self._over.is_set():
            answered = self._ask("outcomes", {"outcomes": said})
            if answered is not None and (answer := answered["answers"][0]).get("error") != "unavailable":
                if "state" in answer:
                    self.stored.append((work["id"], made))
                return
            time.sleep(0.05)

    def _ask(self, what: str, body: dict[str, Any]) -> Any:
        """None if there is no answer now."""
        try:
            answer = self._http.post(f"{self._chance.choice(self._urls)}/v1/commands/{what}", json=body, timeout=40)
        except requests.RequestException:
            return None
        assert answer.status_code in (200, 503), answer.text
        return answer.json() if answer.status_code == 200 else None


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_each_command_ends_once_while_servers_are_killed_under_their_workers(tmp_path: Path) -> None:
    url = redis_url("single", tmp_path)
    chance, over = random.Random(7), threading.Event()
    with ExitStack() as ends:
        log = ends.enter_context(closing(open_log(url, partitions=PARTITIONS, now=lambda: 0)))
        servers = Servers(tmp_path, url, ends)
        running = [servers.start() for _ in range(SERVERS)]
        workers = [Worker([each.url for each in running], number, over) for number in range(WORKERS)]
        ends.callback(over.set)
        for worker in workers:
            worker.start()
        killed = 0
        until = time.monotonic() + WAIT
        for published in range(0, COMMANDS, 50):
            publish(running[0], range(published, published + 50))
            victim = running[1 + chance.randrange(SERVERS - 1)]  # events go to the first
            victim.kill()
            killed += 1
            time.sleep(chance.random() * 2.0)
            victim.spawn()
            victim.wait_ready()
        while sum(told(log).values()) < COMMANDS:
            assert time.monotonic() < until, told(log).total()
            time.sleep(0.2)
        over.set()
        for worker in workers:
            worker.join(60)
        results = told(log)
        assert set(results.values()) == {1}
        assert len(results) == COMMANDS
        assert all(each.startswith("succeeded ") for each in results)
        stored = [each for worker in workers for each in worker.stored]
        assert len({id for id, _ in stored}) == len(stored), "two were told that theirs is stored"
        made = dict(stored)
        for partition in range(PARTITIONS):
            for event in log.read(partition, 0, 100_000).events:
                if event.type == "orchestrator.command.succeeded" and (data := event.payload())["id"] in made:
                    assert data["result"] == made[data["id"]]
        assert killed >= 10


def publish(server: ServerProcess, numbers: range) -> None:
    events: list[dict[str, Any]] = [
        {"id": f"e{number}", "source": "cam", "type": "car.measured", "subject": f"K{number}", "data": {}}
        for number in numbers
    ]
    requests.post(f"{server.url}/v1/events", json=events, timeout=30).raise_for_status()
