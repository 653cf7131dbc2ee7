"""A machine's clock is set back and forward, also over restarts: nothing fires twice, and nothing is forgotten."""

import json
import signal
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator.cli.main import run
from streams.backends.open import open_log
from streams.outputs import Command
from tests.crash.processes import ServerProcess
from tests.crash.shifted import set_clock, variables

RULES = """
ruleset: clocks
rules:
  now: {on: a, then: [{command: now, to: log}]}
  later: {on: a, after: 30s, then: [{command: later, to: log}]}
"""
HOUR = 3_600


class Shifted:
    def __init__(self, folder: Path) -> None:
        self.clock = folder / "clock"
        set_clock(self.clock, 0)
        (folder / "rules.yaml").write_text(RULES)
        (folder / "targets.yaml").write_text("targets: {}\n")
        self.server = ServerProcess(folder, folder / "rules.yaml", folder / "targets.yaml", 3)
        self._environment = variables(self.clock)
        self._published = 0
        self.start()

    def start(self) -> None:
        self.server.spawn(ORCHESTRATOR_LEASE="1s", ORCHESTRATOR_TICK_DELAY="0", **self._environment)
        self.server.wait_ready()
        wait_for(lambda: self.asked("/ready")["ready"])

    def restart(self) -> None:
        assert self.server.end(signal.SIGTERM) == 0, self.server.said()
        self.start()

    def set(self, seconds: int) -> None:
        set_clock(self.clock, seconds)
        time.sleep(1.5)  # it is read once a second

    def publish(self, count: int) -> None:
        """Of keys of their own, at the server's time."""
        events = [
            {"id": str(n), "source": "clock", "type": "a", "subject": f"k{n}"}
            for n in range(self._published, self._published + count)
        ]
        request = urllib.request.Request(
            f"{self.server.url}/v1/events", json.dumps(events).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            assert answer.status == 202
        self._published += count

    def asked(self, path: str) -> dict[str, Any]:
        try:
            with urllib.request.urlopen(f"{self.server.url}{path}", timeout=20) as answer:
                found: dict[str, Any] = json.loads(answer.read())
                return found
        except urllib.error.HTTPError as error:
            return dict(json.loads(error.read()))

    def decided(self) -> Counter[str]:
        """Commands by name."""
        log = open_log(self.server.log, now=lambda: 0)
        found: list[Command] = []
        for partition in range(3):
            found += [each for each in log.outputs(partition, 0, 10_000)[1] if isinstance(each, Command)]
        log.close()
        assert len({each.id for each in found}) == len(found)
        assert max(Counter((each.command, each.cause) for each in found).values(), default=1) == 1, "twice"
        return Counter(each.command for each in found)


def wait_for(question: Callable[[], bool], seconds: float = 60.0) -> None:
    until = time.monotonic() + seconds
    while not question():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.1)


@pytest.fixture
def shifted(tmp_path: Path) -> Iterator[Shifted]:
    made = Shifted(tmp_path)
    yield made
    made.server.clean_up()


def test_a_clock_that_is_set_back_and_forward_fires_each_deadline_once(shifted: Shifted) -> None:
    """A partition's time never goes back: events that come with an earlier one fire as soon as it ticks."""
    shifted.publish(10)
    wait_for(lambda: shifted.decided()["now"] == 10)
    shifted.set(-HOUR)
    shifted.publish(10)
    wait_for(lambda: shifted.decided()["now"] == 20)
    shifted.restart()
    shifted.publish(10)
    wait_for(lambda: shifted.decided()["now"] == 30)
    shifted.set(HOUR)
    wait_for(lambda: shifted.decided()["later"] == 30)
    shifted.set(-HOUR)
    shifted.restart()
    shifted.publish(5)
    wait_for(lambda: shifted.decided() == {"now": 35, "later": 35})
    shifted.set(2 * HOUR)
    shifted.restart()
    time.sleep(2.0)
    assert shifted.decided() == {"now": 35, "later": 35}
    assert shifted.server.end(signal.SIGTERM) == 0, shifted.server.said()
    assert run(["replay", "verify", "--log", shifted.server.log]) == 0
