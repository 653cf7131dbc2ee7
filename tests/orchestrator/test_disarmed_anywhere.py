"""Several servers of one log in a real Redis, disarmed after a restore: one confirmation holds for all of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread

import pytest
import requests

from streams.backends.open import open_log
from streams.log import Log
from tests.conformance.backends import redis_url
from tests.crash.processes import ServerProcess
from tests.orchestrator.test_door_anywhere import PARTITIONS, WAIT, Servers, deliverers
from tests.orchestrator.test_targets import Receiver, decide, get, orchestrator, until

RULES = """
ruleset: fines
rules:
  speeding:
    on: car.measured
    then:
      - {command: fine, to: police, args: {plate: "${event.subject}"}}
      - {command: tell, to: elsewhere, args: {plate: "${event.subject}"}}
"""
TARGETS = """
targets:
  police: {kind: webhook, url: "http://127.0.0.1:PORT/fines", allow: [127.0.0.1/32]}
  elsewhere: {kind: worker}
"""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as made:
        Thread(target=made.serve_forever, daemon=True).start()
        yield made
        made.shutdown()


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    with closing(open_log(redis_url("single", tmp_path), partitions=PARTITIONS, now=lambda: 0)) as opened:
        yield opened


@pytest.fixture
def servers(tmp_path: Path, receiver: Receiver) -> Iterator[Servers]:
    targets = TARGETS.replace("PORT", str(receiver.server_address[1]))
    with ExitStack() as ends:
        yield Servers(tmp_path, redis_url("single", tmp_path), ends, RULES, targets)


def shared(log: Log, count: int, before: set[str | None]) -> set[str | None]:
    """So many servers deliver, from all partitions together, and not only those that did before."""

    def found() -> bool:
        names = set(deliverers(log))
        return len(names) == count and None not in names and not names <= before

    until(found, WAIT)
    return set(deliverers(log))


def waiting(server: ServerProcess, count: int) -> None:
    """It says that so many commands wait and that nothing is sent, and gives nothing to workers."""
    until(lambda: get(server, "/v1/delivery")["commands"] == count and get(server, "/v1/delivery")["settled"], WAIT)
    assert get(server, "/v1/delivery")["armed"] is False
    asked = {"target": "elsewhere", "wait": "0s"}
    lent = requests.post(f"{server.url}/v1/commands/lease", json=asked, timeout=10)
    assert (lent.status_code, lent.json()) == (200, {"commands": []})
    until(lambda: any("delivery is disarmed" in each for each in get(server, "/health")["problems"]))


def armed(server: ServerProcess) -> None:
    assert get(server, "/v1/delivery")["armed"] is True
    assert not any("delivery is disarmed" in each for each in get(server, "/health")["problems"])


@pytest.mark.slow
@pytest.mark.timeout(150)
def test_what_one_server_is_told_holds_for_all_and_for_partitions_that_move(
    servers: Servers, receiver: Receiver, log: Log
) -> None:
    moment = datetime.now(UTC).isoformat()
    one, two = (servers.spawn(ORCHESTRATOR_DISARMED=moment) for _ in range(2))
    one.wait_ready()
    two.wait_ready()
    names = shared(log, 2, set())
    decide(one, *(f"GX-{number}" for number in range(30)))
    waiting(one, 60)
    waiting(two, 60)

    # partitions move, to one that was not told anything, too
    one.kill()
    three = servers.start()
    names = shared(log, 2, names)
    waiting(two, 60)
    waiting(three, 60)
    assert receiver.ids == []

    said = orchestrator(three, "delivery", "arm", "--count", "60")
    assert (said.returncode, said.stdout) == (0, "Delivery is armed.\n"), said.stderr
    armed(two)
    armed(three)
    until(lambda: len(set(receiver.ids)) == 30, WAIT)

    # one that starts later, with the moment that all were told, and takes over what is there
    two.kill()
    four = servers.start(ORCHESTRATOR_DISARMED=moment)
    three.kill()
    shared(log, 1, names)
    armed(four)
    decide(four, *(f"GX-later-{number}" for number in range(30)))
    until(lambda: len(set(receiver.ids)) == 60, WAIT)
