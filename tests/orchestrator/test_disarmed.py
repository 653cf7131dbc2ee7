"""After a restore nothing is sent until somebody confirms how many commands wait: real servers and a receiver."""

from __future__ import annotations

import os
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread

import pytest
import requests

from tests.crash.processes import ServerProcess, serving
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
CARS = [f"GX-{number}" for number in range(20)]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as made:
        Thread(target=made.serve_forever, daemon=True).start()
        yield made
        made.shutdown()


@pytest.fixture
def restored(tmp_path: Path, receiver: Receiver) -> Iterator[ServerProcess]:
    """Stopped. The backup was made when everything waited; afterwards the fines were delivered."""
    targets = f"""
targets:
  police:
    kind: webhook
    url: http://127.0.0.1:{receiver.server_address[1]}/fines
    allow: [127.0.0.1/32]
    retry: {{initial: 50ms, max: 50ms, attempts: 10000}}
    breaker: {{pause: 500ms, longest: 500ms}}
  elsewhere: {{kind: worker}}
"""
    receiver.status = 503
    with serving(tmp_path, RULES, targets) as server:
        decide(server, *CARS)
        until(lambda: len(get(server, "/v1/commands?limit=1000")["commands"]) == 40)
        log = sqlite3.connect(server.database)
        log.execute(f"VACUUM INTO '{tmp_path / 'backup.db'}'")
        log.close()
        receiver.status = 204
        until(lambda: len(get(server, "/v1/commands?state=done")["commands"]) == 20)
        assert server.end(signal.SIGTERM) == 0
        for path in tmp_path.glob("log.*"):
            path.unlink()
        os.rename(tmp_path / "backup.db", server.database)
        receiver.ids.clear()
        yield server


def start(server: ServerProcess, **settings: str) -> None:
    server.spawn(**settings)
    server.wait_ready()


def test_a_restored_log_sends_nothing_until_the_right_number_is_confirmed(
    restored: ServerProcess, receiver: Receiver
) -> None:
    moment = datetime.now(UTC).isoformat()
    start(restored, ORCHESTRATOR_DISARMED=moment)
    until(lambda: get(restored, "/v1/delivery")["settled"])
    found = get(restored, "/v1/delivery")
    assert (found["armed"], found["commands"]) == (False, 40)
    assert found["disarmed_since"] is not None
    asked = {"target": "elsewhere", "wait": "0s"}
    lent = requests.post(f"{restored.url}/v1/commands/lease", json=asked, timeout=10)
    assert (lent.status_code, lent.json()) == (200, {"commands": []}), "nothing over the door either"
    until(lambda: any("delivery is disarmed" in each for each in get(restored, "/health")["problems"]))
    assert get(restored, "/health")["status"] == "degraded"
    assert "Delivery is disarmed" in requests.get(restored.url, timeout=10).text

    # what is decided meanwhile waits with the others, and is counted
    decide(restored, "GX-new")
    until(lambda: get(restored, "/v1/delivery")["commands"] == 42)
    until(lambda: get(restored, "/v1/delivery")["settled"])

    # a server that was not told anything keeps to what the log says
    assert restored.end(signal.SIGTERM) == 0
    start(restored)
    until(lambda: get(restored, "/v1/delivery")["settled"])
    said = orchestrator(restored, "delivery", "status").stdout
    assert ": 42 commands wait.\nIf they shall be sent: orchestrator delivery arm --count 42\n" in said

    refused = orchestrator(restored, "delivery", "arm", "--count", "40")
    assert refused.returncode == 4
    assert "42 commands would be sent, not 40" in refused.stderr
    assert receiver.ids == []

    armed = orchestrator(restored, "delivery", "arm", "--count", "42")
    assert (armed.returncode, armed.stdout) == (0, "Delivery is armed.\n"), armed.stderr
    until(lambda: len(set(receiver.ids)) == 21)
    lent = requests.post(f"{restored.url}/v1/commands/lease", json=asked, timeout=10)
    assert len(lent.json()["commands"]) > 0
    assert get(restored, "/v1/delivery")["armed"] is True
    again = requests.post(f"{restored.url}/v1/delivery/arm", json={"count": 1}, timeout=10)
    assert again.status_code == 409

    # it was confirmed after that moment, so a restart with it changes nothing; a later one does
    assert restored.end(signal.SIGTERM) == 0
    start(restored, ORCHESTRATOR_DISARMED=moment)
    assert get(restored, "/v1/delivery")["armed"] is True
    assert restored.end(signal.SIGTERM) == 0
    start(restored, ORCHESTRATOR_DISARMED="true")
    assert get(restored, "/v1/delivery")["armed"] is False


def test_what_was_confirmed_before_the_backup_confirms_nothing_of_the_restore(
    restored: ServerProcess, receiver: Receiver
) -> None:
    start(restored, ORCHESTRATOR_DISARMED="true")
    until(lambda: get(restored, "/v1/delivery")["settled"])
    assert orchestrator(restored, "delivery", "arm", "--count", "40").returncode == 0
    until(lambda: len(set(receiver.ids)) == 20)
    assert restored.end(signal.SIGTERM) == 0
    receiver.ids.clear()
    start(restored, ORCHESTRATOR_DISARMED="true")
    decide(restored, "GX-later")
    until(lambda: get(restored, "/v1/delivery")["commands"] == 22)
    assert get(restored, "/v1/delivery")["armed"] is False
    assert receiver.ids == []


def test_a_moment_that_is_none_is_refused_at_start(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path, tmp_path / "rules.yaml", tmp_path / "targets.yaml", 4)
    server.spawn(ORCHESTRATOR_DISARMED="soon")
    with closing(server.process.stdout):  # type: ignore[type-var]
        assert server.process.wait(30) == 2
    assert "ORCHESTRATOR_DISARMED=soon: write `true`, or the moment of the restore" in server.said()
