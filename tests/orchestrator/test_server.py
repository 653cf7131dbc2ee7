"""A real server process, driven by the command line as a user would, and stopped."""

import json
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator.cli.main import run
from tests.ports import free_port

RULES = """
ruleset: shop
projections:
  orders:
    fold:
      order.placed: {total: event.data.total}
      order.paid: {paid: "true"}
rules:
  remind:
    on: order.placed
    after: 2d
    unless: order.paid
    then: [{command: remind, to: log, args: {total: "${event.data.total}"}}]
"""


class Running:
    """A server whose log lies in a folder. Killed ones are in `tests/crash`."""

    def __init__(self, folder: Path, rules: str = RULES) -> None:
        self.folder = folder
        (folder / "rules.yaml").write_text(rules)
        self.log = f"sqlite:///{folder}/log.db"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.addresses: dict[str, str] = {}
        self.start()

    def start(self) -> None:
        call = [sys.executable, "-c", "from orchestrator.cli import main; main()", "server", "--log", self.log]
        call += ["--rules", str(self.folder / "rules.yaml"), "--port", str(self.port), "--metrics-port", "0", "--json"]
        call += ["--partitions", "3", "--lease", "1s"]
        self.errors = (self.folder / "errors.txt").open("ab")
        self.process = subprocess.Popen(call, stdout=subprocess.PIPE, stderr=self.errors, cwd=Path.cwd())
        assert self.process.stdout is not None
        ready = self.process.stdout.readline()
        assert ready, (self.folder / "errors.txt").read_text()
        self.addresses = json.loads(ready)

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        status = self.process.wait(30)
        assert self.process.stdout is not None
        self.process.stdout.close()
        self.errors.close()
        return status


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Running]:
    running = Running(tmp_path)
    yield running
    if running.process.poll() is None:
        running.stop(signal.SIGKILL)


def history(folder: Path, orders: int) -> Path:
    """Every third order is paid in time."""
    file = folder / "history.jsonl"
    with file.open("w") as out:
        for day, kind in ((1, "order.placed"), (2, "order.paid")):
            for n in range(orders):
                if kind == "order.placed" or n % 3 == 0:
                    event = {"id": f"{kind}-{n}", "source": "shop", "type": kind, "subject": f"o{n}"}
                    event |= {"time": f"2020-01-0{day}T00:00:00Z", "data": {"total": n}}  # type: ignore[dict-item]
                    out.write(json.dumps(event) + "\n")
    return file


def called(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    assert run([*arguments, "--json"]) == 0, capsys.readouterr().err
    return json.loads(capsys.readouterr().out)


def listed(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[Any]:
    assert run([*arguments, "--json"]) == 0, capsys.readouterr().err
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def command_ids(capsys: pytest.CaptureFixture[str], url: str, most: int = 1000) -> dict[str, str]:
    found = listed(capsys, "commands", "list", "--limit", str(most), "--url", url)
    return {each["id"]: each["state"] for each in found}


def simulated(capsys: pytest.CaptureFixture[str], folder: Path, file: Path, until: str) -> set[str]:
    out = folder / "simulated.jsonl"
    called(
        capsys,
        *("simulate", "--rules", str(folder / "rules.yaml"), "--events", str(file)),
        *("--commands", str(out), "--until", until),
    )
    return {json.loads(line)["id"] for line in out.read_text().splitlines()}


def test_a_file_is_imported_decided_delivered_and_shown_and_a_second_time_changes_nothing(
    server: Running, capsys: pytest.CaptureFixture[str]
) -> None:
    file = history(server.folder, 30)
    call = ("events", "import", str(file), "--until", "2020-02-01T00:00:00Z", "--wait", "delivered")
    found = called(capsys, *call, "--url", server.url)
    assert (found["events"], found["stored"]) == (40, 40)
    states = command_ids(capsys, server.url)
    assert set(states.values()) == {"done"}
    assert set(states) == simulated(capsys, server.folder, file, "2020-02-01T00:00:00Z")
    assert called(capsys, *call, "--url", server.url)["stored"] == 0
    assert len(command_ids(capsys, server.url)) == 20
    one = next(iter(states))
    assert called(capsys, "commands", "show", one, "--url", server.url)["attempts"] == 1
    row = called(capsys, "projections", "get", "orders", "o3", "--url", server.url)
    assert row["row"] == {"total": 3, "paid": True}
    partitions = listed(capsys, "partitions", "list", "--url", server.url)
    assert [each["lag"] for each in partitions] == [0, 0, 0]
    assert all(each["shown"] for each in partitions)
    assert {each["state"] for each in partitions} == {"running"}
    assert called(capsys, "replay", "verify", "--log", server.log)["clean"]
    assert run(["projections", "get", "orders", "nobody", "--url", server.url]) == 3
    assert run(["projections", "get", "none", "A", "--url", server.url]) == 3
    assert run(["commands", "show", "none", "--url", server.url]) == 3
    assert run(["commands", "redrive", one, "--url", server.url]) == 4
    assert run(["commands", "list", "--state", "lost", "--url", server.url]) == 1
    with urllib.request.urlopen(server.addresses["metrics"]) as answer:
        metrics = answer.read().decode()
    assert 'orchestrator_rule_firings_total{rule="remind"} 20.0' in metrics
    assert "orchestrator_late_events_total 0.0" in metrics
    with urllib.request.urlopen(server.url + "/health") as answer:
        assert json.loads(answer.read()) == {"status": "ok", "problems": []}
    assert server.stop() == 0
    assert run(["commands", "list", "--url", server.url]) == 5
    assert called(capsys, "replay", "rebuild", "--log", server.log)["tables"] == {"orders": 30}


def test_published_lines_are_counted_and_a_bad_one_is_named(
    server: Running, capsys: pytest.CaptureFixture[str]
) -> None:
    file = server.folder / "live.jsonl"
    good = json.dumps({"id": "1", "source": "s", "type": "order.placed", "subject": "A", "data": {"total": 1}})
    file.write_text(good + "\n\n" + good.replace('"1"', '"2"') + "\n")
    assert called(capsys, "events", "publish", str(file), "--url", server.url)["published"] == 2
    file.write_text(good + "\n\n" + '{"id": ""}' + "\n")
    assert run(["events", "publish", str(file), "--url", server.url]) == 1
    assert "live.jsonl:3: " in capsys.readouterr().err


def test_a_rule_that_names_an_unknown_target_is_an_error_at_start(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "rules.yaml").write_text(RULES.replace("to: log", "to: lag"))
    call = ["server", "--log", f"sqlite:///{tmp_path}/log.db", "--rules", str(tmp_path / "rules.yaml")]
    assert run(call) == 1
    said = capsys.readouterr().err
    assert "`lag`" in said
    assert "did you mean `log`" in said
    assert not (tmp_path / "log.db").exists()
