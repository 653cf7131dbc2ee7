"""The parent of several workers: real processes, but for the work. Servers on Redis are in `test_workers.py`."""

import asyncio
import json
import os
import selectors
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

from orchestrator.child import Command, Patience
from orchestrator.supervisor import Supervisor

PARENT = Path(__file__).with_name("dummy_parent.py")
QUICK = {"first_pause": 0.05, "longest_pause": 0.2, "look": 0.05, "silence": 8.0, "stop": 20.0}
WAIT = 30.0
"""Seconds in which anything must have happened."""


class Family:
    """A parent and its dummy workers, numbered from 1."""

    def __init__(self, folder: Path, workers: int = 2) -> None:
        self.folders = {number: folder / str(number) for number in range(1, workers + 1)}
        for each in self.folders.values():
            each.mkdir()
        self.errors = folder / "errors.txt"
        self.addresses: dict[str, str] = {}
        self._parent: subprocess.Popen[bytes] | None = None

    def start(self, **patience: float) -> None:
        call = [sys.executable, str(PARENT), json.dumps({**QUICK, **patience}), *map(str, self.folders.values())]
        with self.errors.open("wb") as errors:
            self._parent = subprocess.Popen(call, stdout=subprocess.PIPE, stderr=errors)

    @property
    def parent(self) -> subprocess.Popen[bytes]:
        assert self._parent is not None
        return self._parent

    def ready(self, **patience: float) -> None:
        self.start(**patience)
        self.wait_ready()

    def wait_ready(self) -> None:
        assert self.parent.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self.parent.stdout, selectors.EVENT_READ)
            assert selector.select(WAIT), self.said()
        line = self.parent.stdout.readline()
        assert line, self.said()
        self.addresses = json.loads(line)

    def close(self) -> None:
        if self._parent is None:
            return
        self.parent.kill()
        self.parent.wait(WAIT)
        assert self.parent.stdout is not None
        self.parent.stdout.close()
        for pid in self.all_pids():
            if is_alive(pid):
                os.kill(pid, signal.SIGKILL)

    def said(self) -> str:
        return self.errors.read_text()

    def levels(self) -> list[str]:
        """The log level that each worker was told last."""
        files = [folder / "level" for folder in self.folders.values()]
        return [file.read_text() if file.exists() else "" for file in files]

    def lines(self, event: str, worker: int | None = None) -> list[dict[str, Any]]:
        found = [json.loads(line) for line in self.said().splitlines() if line.startswith("{")]
        return [each for each in found if (each["event"], each.get("worker")) == (event, worker)]

    def lives(self, worker: int) -> list[int]:
        """The processes that there were."""
        file = self.folders[worker] / "lives"
        return [int(line) for line in file.read_text().split()] if file.exists() else []

    def all_pids(self) -> list[int]:
        return [pid for worker in self.folders for pid in self.lives(worker)]

    def kill(self, worker: int, number: int = signal.SIGKILL) -> None:
        os.kill(self.lives(worker)[-1], number)

    def wait_restarted(self, worker: int, times: int) -> None:
        wait_for(lambda: len(self.lines("worker ready", worker)) == times + 1, self.said)

    def asked(self, page: str) -> tuple[int, str]:
        url = self.addresses["metrics"].removesuffix("metrics") + page
        try:
            with urllib.request.urlopen(url, timeout=20) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def metrics(self) -> dict[str, float]:
        lines = [line for line in self.asked("metrics")[1].splitlines() if not line.startswith("#")]
        return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}

    def health(self) -> Any:
        return json.loads(self.asked("health")[1])


@pytest.fixture
def family(tmp_path: Path) -> Iterator[Family]:
    made = Family(tmp_path)
    yield made
    made.close()


def wait_for(question: Callable[[], bool], said: Callable[[], str] = str) -> None:
    until = time.monotonic() + WAIT
    while not question():
        assert time.monotonic() < until, said() or "it did not happen in time"
        time.sleep(0.02)


def is_alive(pid: int) -> bool:
    """A process that its parent has not waited for yet has ended all the same."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_it_is_ready_when_all_workers_are_and_stops_them_in_order(family: Family) -> None:
    (family.folders[2] / "late").touch()
    family.start()
    wait_for(lambda: bool(family.lives(2)), family.said)
    assert family.lines("worker ready", 1)
    assert not family.lines("worker ready", 2)
    (family.folders[2] / "late").unlink()
    family.wait_ready()
    assert family.addresses["http"] == "http://shared"
    assert family.metrics()['orchestrator_worker_up{worker="2"}'] == 1
    assert family.health() == {"status": "ok", "problems": []}
    wait_for(lambda: "more workers than partitions" in family.said())
    family.parent.send_signal(signal.SIGTERM)
    assert family.parent.wait(WAIT) == 0
    assert all((folder / "stopped").exists() for folder in family.folders.values())
    assert not any(map(is_alive, family.all_pids()))
    assert "worker ended" not in family.said()


def test_a_worker_that_dies_is_started_again_and_everybody_can_see_it(family: Family) -> None:
    family.ready()
    assert family.metrics()["orchestrator_events_total"] == 200
    family.kill(2)
    family.wait_restarted(2, 1)
    (ended,) = family.lines("worker ended", 2)
    assert ended["how"] == "ended by SIGKILL"
    problem = "worker 2 ended by SIGKILL, and was started again"
    wait_for(lambda: family.health() == {"status": "degraded", "problems": [problem]})
    other = (family.folders[1] / "address").read_text()
    with urllib.request.urlopen(f"{other}/health", timeout=20) as answer:
        assert json.loads(answer.read())["problems"] == [problem], "whichever worker is asked knows it"
    assert len(family.lives(1)) == 1
    metrics = family.metrics()
    assert metrics['orchestrator_worker_restarts_total{worker="1"}'] == 0
    assert metrics['orchestrator_worker_restarts_total{worker="2"}'] == 1
    assert metrics["orchestrator_events_total"] == 300, "what the dead one had counted stays"


def test_pauses_double_to_their_bound_and_begin_anew_after_a_good_life(family: Family) -> None:
    family.ready(settled=1.0)
    for times in range(1, 6):
        family.kill(1)
        family.wait_restarted(1, times)
    assert [each["again_in"] for each in family.lines("worker ended", 1)] == [0.05, 0.1, 0.2, 0.2, 0.2]
    began = time.monotonic()
    wait_for(lambda: time.monotonic() - began > 1.2)
    family.kill(1)
    family.wait_restarted(1, 6)
    assert family.lines("worker ended", 1)[-1]["again_in"] == 0.05
    assert not family.lines("worker ended", 2)


def test_a_worker_told_to_stop_by_somebody_else_is_started_again(family: Family) -> None:
    family.ready()
    family.kill(1, signal.SIGTERM)
    family.wait_restarted(1, 1)
    assert family.lines("worker ended", 1)[0]["how"] == "ended with status 0"


def test_what_is_wrong_at_the_start_ends_all_with_its_status(family: Family) -> None:
    for folder in family.folders.values():
        (folder / "exit").write_text("2")
    family.start()
    assert family.parent.wait(WAIT) == 2
    assert family.said().endswith("worker 1 ended before it was ready: see above\n")
    assert len(family.all_pids()) == 1, "it is tried and said once"


def test_what_may_pass_is_tried_a_few_times_at_the_start(family: Family) -> None:
    (family.folders[2] / "exit").write_text("1")
    family.start()
    assert family.parent.wait(WAIT) == 1
    assert family.said().endswith("worker 2 ended 3 times in a row before it was ready: see above\n")
    assert len(family.lives(2)) == 3
    assert (family.folders[1] / "stopped").exists()


def test_a_worker_that_cannot_start_is_tried_for_ever_while_another_works(family: Family) -> None:
    family.ready()
    (family.folders[2] / "exit").write_text("2")
    family.kill(2)
    wait_for(lambda: len(family.lives(2)) > 5)
    (problem,) = family.health()["problems"]
    assert problem.startswith("worker 2 ended with status 2, and is being started again (")
    assert family.metrics()['orchestrator_worker_up{worker="2"}'] == 0
    (family.folders[2] / "exit").unlink()
    wait_for(lambda: len(family.lines("worker ready", 2)) == 2)
    (family.folders[1] / "exit").write_text("1")
    (family.folders[2] / "exit").write_text("1")
    family.kill(1)
    family.kill(2)
    assert family.parent.wait(WAIT) == 1, "nobody works, and nobody can"


def test_a_worker_that_gives_no_answer_keeps_its_counts_and_is_killed(family: Family) -> None:
    family.ready(scrape=0.2, silence=1.0)
    assert family.metrics()["orchestrator_events_total"] == 200
    family.kill(1, signal.SIGSTOP)
    metrics = family.metrics()
    assert metrics['orchestrator_worker_up{worker="1"}'] == 0
    assert metrics['orchestrator_worker_up{worker="2"}'] == 1
    assert metrics["orchestrator_events_total"] == 200
    family.wait_restarted(1, 1)
    (ended,) = family.lines("worker ended", 1)
    assert ended["how"].startswith("was killed: gave no answer for ")


def test_a_worker_in_which_something_hangs_is_killed_unless_all_say_so(family: Family) -> None:
    (family.folders[1] / "failing").touch()
    family.ready(silence=2.0)
    # on a busy machine one may give no answer for so long, and is killed for that before
    wait_for(lambda: any(each["how"].startswith("was killed: it hangs") for each in family.lines("worker ended", 1)))
    (family.folders[2] / "failing").touch()
    wait_for(lambda: {"worker 1: it hangs", "worker 2: it hangs"} <= set(family.health()["problems"]))
    assert family.asked("health")[0] == 503
    before = len(family.all_pids())
    began = time.monotonic()
    wait_for(lambda: time.monotonic() - began > 2.5)
    assert len(family.all_pids()) == before, "a restart would mend nothing"
    assert family.asked("health")[0] == 503


def test_a_second_signal_ends_everything_at_once(family: Family) -> None:
    for folder in family.folders.values():
        (folder / "stubborn").touch()
    family.ready()
    family.parent.send_signal(signal.SIGINT)
    wait_for(lambda: '"stopping"' in family.said())
    family.parent.send_signal(signal.SIGTERM)
    assert family.parent.wait(WAIT) == -signal.SIGTERM
    wait_for(lambda: not any(map(is_alive, family.all_pids())))


def test_a_worker_that_does_not_stop_in_time_is_killed_and_the_others_are_not_disturbed(family: Family) -> None:
    (family.folders[1] / "stubborn").touch()
    family.ready(stop=0.5)
    family.parent.send_signal(signal.SIGTERM)
    assert family.parent.wait(WAIT) == 0
    assert (family.folders[2] / "stopped").exists()
    assert family.lines("worker did not stop in time, and is killed", 1)
    assert not family.lines("worker did not stop in time, and is killed", 2)
    assert not any(map(is_alive, family.all_pids()))


@pytest.mark.parametrize("stubborn", [False, True])
def test_workers_do_not_outlive_a_parent_that_was_killed(family: Family, stubborn: bool) -> None:
    if stubborn:
        (family.folders[1] / "stubborn").touch()
    family.ready()
    family.parent.kill()
    wait_for(lambda: not any(map(is_alive, family.all_pids())))
    assert (family.folders[1] / "stopped").exists(), "it was asked first"


def test_a_signal_while_workers_start_is_heeded(family: Family) -> None:
    (family.folders[1] / "late").touch()
    family.start()
    wait_for(lambda: bool(family.lives(1)), family.said)
    family.parent.send_signal(signal.SIGTERM)
    assert family.parent.wait(WAIT) == 0
    assert not family.lives(2)
    assert (family.folders[1] / "stopped").exists()
    assert family.parent.stdout is not None
    assert family.parent.stdout.read() == b""


def test_a_port_of_the_metrics_that_is_taken_is_named_and_nothing_runs() -> None:
    async def run(port: int) -> None:
        await Supervisor([Command(["/bin/false"], {})] * 2, "127.0.0.1", port, Patience()).run(lambda found: None)

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match=f"--metrics-port={port} on 127.0.0.1: Address already in use"):
            asyncio.run(run(port))


def test_the_log_level_of_all_workers_changes_by_a_signal_and_one_that_is_started_again_hears_it(
    family: Family,
) -> None:
    family.ready()
    wait_for(lambda: family.levels() == ["info", "info"])
    family.parent.send_signal(signal.SIGUSR1)
    wait_for(lambda: family.levels() == ["debug", "debug"], family.said)
    family.kill(1)
    family.wait_restarted(1, 1)
    wait_for(lambda: family.levels() == ["debug", "debug"], family.said)
    family.parent.send_signal(signal.SIGUSR2)
    wait_for(lambda: family.levels() == ["info", "info"], family.said)


def test_a_worker_that_is_asked_for_another_log_level_asks_for_all_and_what_else_it_prints_is_nothing(
    family: Family,
) -> None:
    family.ready()
    (family.folders[2] / "asks").write_text("warning")
    wait_for(lambda: family.levels() == ["warning", "warning"], family.said)
    assert family.lines("log level")[-1]["chosen"] == "warning"
