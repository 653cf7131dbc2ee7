"""Events and projections as somebody at a terminal looks at them and follows them: on a real server."""

import json
import os
import queue
import re
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator.cli.main import run
from tests.crash.processes import ServerProcess, serving
from tests.orchestrator.test_cli_mistakes import CALL
from tests.orchestrator.test_live import RULES, event

START = "1.0.0,1.1.0,1.2.0,1.3.0"


class Following:
    """A command that does not end by itself."""

    def __init__(self, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [*CALL, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ}
        )
        self.lines: queue.Queue[str] = queue.Queue()
        self.thread = threading.Thread(target=self._read)
        self.thread.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.put(line)

    def take(self, count: int) -> list[Any]:
        return [json.loads(self.lines.get(timeout=30)) for _ in range(count)]

    def interrupt(self) -> int:
        self.process.send_signal(signal.SIGINT)
        _, err = self.process.communicate(timeout=30)
        self.thread.join(10)
        assert err == ""
        return self.process.returncode

    def clean_up(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate()
        self.thread.join(10)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with serving(tmp_path_factory.mktemp("looking"), RULES) as running:
        yield running


@pytest.fixture
def following(server: ServerProcess) -> Iterator[Any]:
    started: list[Following] = []

    def start(*arguments: str) -> Following:
        started.append(Following(*arguments, "--url", server.url))
        return started[-1]

    yield start
    for each in started:
        each.clean_up()


class Caller:
    def __init__(self, server: ServerProcess, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.server, self.folder, self.capsys = server, folder, capsys

    def __call__(self, *arguments: str, status: int = 0) -> tuple[str, str]:
        found = run([*arguments, "--url", self.server.url])
        out, err = self.capsys.readouterr()
        assert found == status, err
        return out, err

    def lines(self, *arguments: str) -> list[Any]:
        return [json.loads(line) for line in self(*arguments, "--json")[0].splitlines()]

    def publish(self, *events: dict[str, Any]) -> str:
        file = self.folder / "events.jsonl"
        file.write_text("\n".join(map(json.dumps, events)))
        (found,) = self.lines("events", "publish", str(file))
        return str(found["last_position"])


@pytest.fixture
def call(server: ServerProcess, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Caller:
    return Caller(server, tmp_path, capsys)


def test_events_are_listed_newest_first_by_what_was_asked_for(call: Caller) -> None:
    sent = [event(f"l{n}", f"s{n % 2}", type="listed", time=f"2025-01-01T00:0{n}:00Z") for n in range(6)]
    call.publish(*sent)
    out, err = call("events", "list", "--type", "listed", "--subject", "s1")
    assert out.splitlines()[0].split() == ["position", "time", "type", "subject", "id", "source", "data"]
    assert [line.split()[4] for line in out.splitlines()[1:]] == ["l5", "l3", "l1"]
    assert (out.splitlines()[1].split()[-1], err) == ('{"total":1,"customer":"c-s1"}', "")
    found = call.lines("events", "list", "--type", "listed", "--since", "2025-01-01T00:02:00Z", "--limit", "3")
    assert [each["id"] for each in found] == ["l5", "l4", "l3"]
    _, err = call("events", "list", "--type", "listed", "--limit", "3")
    (cursor,) = re.findall(r"^more: --cursor (\S+)$", err, re.MULTILINE)
    found = call.lines("events", "list", "--type", "listed", "--cursor", cursor, "--until", "2025-01-01T00:02:00Z")
    assert [each["id"] for each in found] == ["l1", "l0"]
    call.publish(event("now", "now", type="listed"))
    assert [each["id"] for each in call.lines("events", "list", "--type", "listed", "--since", "15m")] == ["now"]
    assert len(call.lines("events", "list", "--type", "listed", "--until", "15m")) == 6


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["list", "--since", "yesterday"], 2, "--since=yesterday: "),
        (["tail", "--until", "5 m"], 2, "or 15m for what was 15 minutes ago"),
        (["tail", "--partition", "9"], 3, "there are 4"),
        (["tail", "--after", "9.0.1"], 1, "later generation"),
        (["list", "--cursor", "x"], 1, "generation.partition.offset"),
    ],
)
def test_what_cannot_be_listed_or_followed_is_said_at_once(
    call: Caller, arguments: list[str], status: int, said: str
) -> None:
    assert said in call("events", *arguments, status=status)[1]


def test_a_tail_goes_on_over_a_server_that_was_killed_until_ctrl_c(
    call: Caller, following: Any, server: ServerProcess
) -> None:
    sent = [event(f"t{n}", f"s{n}", type="tailed", time=f"2025-01-01T00:00:{n:02}Z") for n in range(20)]
    tail = following("events", "tail", "--json", "--type", "tailed", "--after", START)
    late = following(
        "events", "tail", "--json", "--type", "tailed", "--after", START, "--since", "2025-01-01T00:00:15Z"
    )
    call.publish(*sent[::2])
    found, newer = tail.take(10), late.take(2)
    server.kill()
    server.spawn()
    server.wait_ready()
    call.publish(*sent[1::2])
    found += tail.take(10)
    assert sorted(each["id"] for each in found) == sorted(each["id"] for each in sent)
    assert {"position", "id", "source", "type", "subject", "time", "data"} <= found[0].keys()
    assert sorted(each["id"] for each in [*newer, *late.take(3)]) == ["t15", "t16", "t17", "t18", "t19"]
    assert (tail.interrupt(), late.interrupt()) == (130, 130)
    assert (tail.lines.empty(), late.lines.empty()) == (True, True)


def test_projections_and_their_rows_are_listed(call: Caller) -> None:
    position = call.publish(*(event(f"p{n}", f"p{n}", 2_000 + n) for n in range(5)))
    found = {each["name"]: each for each in call.lines("projections", "list")}
    assert (found["orders"]["index"], found["customers"]["fields"]) == (["total"], {"orders": "number"})
    out, _ = call("projections", "list")
    assert out.splitlines()[0].split() == ["name", "rows", "lag", "index", "fields"]
    wanted = ["projections", "list", "orders", "--where", "total__gte=2001", "total__lt=2100", "--sort", "-total"]
    for n in range(5):
        call("projections", "get", "orders", f"p{n}", "--min-position", position)
    out, err = call(*wanted, "--limit", "3")
    assert [line.split() for line in out.splitlines()] == [
        ["key", "total"],
        ["p4", "2004"],
        ["p3", "2003"],
        ["p2", "2002"],
    ]
    (cursor,) = re.findall(r"^more: --cursor (\S+)$", err, re.MULTILINE)
    assert re.search(r"^as of 1\.0\.\d+,1\.1\.\d+,1\.2\.\d+,1\.3\.\d+$", err, re.MULTILINE)
    assert call.lines(*wanted, "--limit", "3", "--cursor", cursor) == [{"key": "p1", "row": {"total": 2001}}]
    out, _ = call("projections", "get", "customers", "c-p3")
    assert out.splitlines()[1] == "  orders  1"


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["list", "orders", "--where", "total"], 2, "write FIELD=VALUE"),
        (["list", "orders", "--where", "key=a", "--where", "key=b"], 2, "`key` comes twice"),
        (["list", "orders", "--where", "price=1"], 1, "`orders` has no field `price`"),
        (["list", "--sort", "total"], 2, "name the projection"),
        (["list", "nothing"], 3, "there is no projection `nothing`"),
        (["get", "orders", "nobody"], 3, "`orders` has no row of `nobody`"),
        (["watch", "nothing", "A"], 3, "there is no projection `nothing`"),
        (["watch", "orders", "--sort", "price"], 1, "no field `price`"),
        (["watch", "orders", "A", "--sort", "total"], 2, "leave --where and --sort out"),
    ],
)
def test_what_cannot_be_asked_of_projections_is_said(
    call: Caller, arguments: list[str], status: int, said: str
) -> None:
    assert said in call("projections", *arguments, status=status)[1]


def test_a_row_and_a_list_are_watched_until_ctrl_c(call: Caller, following: Any) -> None:
    row = following("projections", "watch", "orders", "w/1", "--json")
    assert [(each["key"], each["row"]) for each in row.take(1)] == [("w/1", None)]
    rows = following(
        "projections", "watch", "orders", "--where", "total__gt=5000", "--sort", "-total", "--limit", "2", "--json"
    )
    assert [(each["put"], each["gone"]) for each in rows.take(1)] == [([], [])]
    for total in (5_001, 5_002):
        call.publish(event(f"w{total}", "w/1", total))
        assert [each["row"] for each in row.take(1)] == [{"total": total}]
        assert [each["put"] for each in rows.take(1)] == [[{"key": "w/1", "row": {"total": total}}]]
    call.publish(event("w3", "w/3", 5_003))
    rows.take(1)
    call.publish(event("w4", "w/4", 5_004))
    (last,) = rows.take(1)
    assert (last["put"], last["gone"]) == ([{"key": "w/4", "row": {"total": 5_004}}], ["w/1"])
    assert (row.interrupt(), rows.interrupt()) == (130, 130)
