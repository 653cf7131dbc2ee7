"""`commands redrive` and `commands cancel` at three in the morning: count, decide, send again or not at all."""

import json
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from orchestrator.cli.main import run
from tests.orchestrator.test_server import Running

RULES = """
ruleset: shop
rules:
  tell:
    on: order.placed
    then:
      - {command: tell, to: police, args: {total: "${event.data.total}"}}
      - {command: book, to: bank}
"""


class Answering:
    """An HTTP server in a thread; `answer` says (status, JSON) of a request, and may be changed at any time."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, Any]] = []
        self.answer: Any = lambda method, path, body: (200, {})
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _handle(self) -> None:
                text = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                body = json.loads(text) if text else None
                outer.requests.append((self.command, self.path, body))
                status, document = outer.answer(self.command, self.path, body)
                shown = json.dumps(document).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(shown)))
                self.end_headers()
                self.wfile.write(shown)

            do_GET = do_POST = _handle

            def log_message(self, *arguments: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    def stop(self) -> None:
        self.server.shutdown()
        self.thread.join(10)
        self.server.server_close()


@pytest.fixture
def answering() -> Iterator[Answering]:
    made = Answering()
    yield made
    made.stop()


def listed(capsys: pytest.CaptureFixture[str], url: str, *filters: str) -> list[dict[str, Any]]:
    assert run(["commands", "list", "--limit", "1000", "--url", url, "--json", *filters]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def wait_for(condition: Any) -> None:
    until = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.05)


def test_what_a_target_refused_is_found_counted_and_sent_again(
    tmp_path: Path, answering: Answering, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    targets = tmp_path / "targets.yaml"
    hook = f"{{kind: webhook, url: '{answering.url}', allow: [127.0.0.1/32], alarm: off}}"
    targets.write_text(f"targets: {{police: {hook}, bank: {hook}}}")
    monkeypatch.setenv("ORCHESTRATOR_TARGETS", str(targets))
    answering.answer = lambda method, path, body: (422, {"big": 2**70, "why": "\x1b[2J\nno"})
    server = Running(tmp_path, RULES)
    try:
        lines = [
            {"id": f"{n}", "source": "s", "type": "order.placed", "subject": f"o{n}", "data": {"total": n}}
            | {"time": f"2020-01-01T00:00:{n:02}.5Z"}
            for n in range(20)
        ]
        (tmp_path / "live.jsonl").write_text("\n".join(map(json.dumps, lines)))
        assert run(["events", "publish", str(tmp_path / "live.jsonl"), "--url", server.url]) == 0
        capsys.readouterr()
        wait_for(lambda: len(listed(capsys, server.url, "--state", "parked")) == 40)

        assert run(["commands", "list", "--to", "police", "--url", server.url]) == 0
        shown = capsys.readouterr().out
        assert len(shown.splitlines()) == 21
        assert "\x1b" not in shown

        call = ["commands", "redrive", "--state", "parked", "--to", "police", "--url", server.url]
        assert run(call) == 2
        out, err = capsys.readouterr()
        assert out.splitlines()[0] == "20 parked: 20 to police"
        assert out.splitlines()[1].startswith("         20  HTTP 422: ")
        assert "nothing was redriven: add --yes" in err
        assert len(answering.requests) == 40

        out_file = tmp_path / "out.jsonl"
        simulate = ["simulate", "--rules", str(tmp_path / "rules.yaml"), "--events", str(tmp_path / "live.jsonl")]
        assert run([*simulate, "--commands", str(out_file)]) == 0
        simulated = {each["id"]: each for each in map(json.loads, out_file.read_text().splitlines())}
        assert {body["id"]: body for _, _, body in answering.requests} == simulated
        capsys.readouterr()

        answering.answer = lambda method, path, body: (200, {})
        assert run([*call, "--yes", "--json"]) == 0
        assert json.loads(capsys.readouterr().out) == {"found": 20, "redriven": 20, "changed": 0}
        wait_for(lambda: len(listed(capsys, server.url, "--state", "done")) == 20)
        assert {each["to"] for each in listed(capsys, server.url, "--state", "parked")} == {"bank"}
        assert {each["attempts"] for each in listed(capsys, server.url, "--to", "police")} == {2}
        wait_for(lambda: run([*call, "--yes"]) == 0 and "no command that is parked fits" in capsys.readouterr().out)

        one = listed(capsys, server.url, "--state", "parked", "--key", "o7")[0]["id"]
        assert run(["commands", "redrive", one, one, "--url", server.url, "--json"]) == 0
        assert json.loads(capsys.readouterr().out) == {"redriven": 1}
        wait_for(lambda: len(listed(capsys, server.url, "--state", "parked")) == 19)
        requests = len(answering.requests)
        parked = listed(capsys, server.url, "--state", "parked")
        middle = sorted(each["at"] for each in parked)[10]
        for times in (["--since", middle], ["--until", middle]):
            found = listed(capsys, server.url, "--state", "parked", *times)
            assert found == [each for each in parked if (each["at"] >= middle) is (times[0] == "--since")]
        assert run(["commands", "redrive", "--until", middle, "--url", server.url]) == 2
        assert capsys.readouterr().out.startswith(f"{sum(each['at'] < middle for each in parked)} parked: ")
        assert run(["commands", "list", "--since", "yesterday", "--url", server.url]) == 2
        assert "--since=yesterday" in capsys.readouterr().err
        [expiring] = listed(capsys, server.url, "--state", "parked", "--key", "o9")
        assert run(["commands", "expire", expiring["id"], "--reason", "too old", "--url", server.url]) == 0
        assert capsys.readouterr().out == "1 expired\n"
        wait_for(lambda: len(listed(capsys, server.url, "--state", "expired")) == 1)
        call = ["commands", "cancel", "--to", "bank", "--reason", "no longer wanted", "--url", server.url]
        assert run(call) == 2
        out, err = capsys.readouterr()
        assert out.splitlines()[0] == "18 parked: 18 to bank"
        assert "nothing was cancelled: add --yes" in err
        assert run([*call, "--yes", "--json"]) == 0
        assert json.loads(capsys.readouterr().out) == {"found": 18, "cancelled": 18, "changed": 0}
        wait_for(lambda: len(listed(capsys, server.url, "--state", "cancelled")) == 18)
        assert {each["last_error"] for each in listed(capsys, server.url, "--state", "cancelled")} == {
            "no longer wanted"
        }
        assert run(["commands", "expire", one, "--url", server.url]) == 4
        assert (
            "is done: pending, retrying, waiting and parked commands can be made to expire" in capsys.readouterr().err
        )
        assert run(["commands", "cancel", one, "--url", server.url]) == 4
        assert "is done: pending, retrying, waiting and parked commands can be cancelled" in capsys.readouterr().err
        assert len(answering.requests) == requests
        assert server.stop() == 0
    finally:
        if server.process.poll() is None:
            server.stop()


class Api:
    """1,203 parked commands, some of which somebody else has redriven since they were listed."""

    def __init__(self, changed: set[str]) -> None:
        self.ids = [f"c{number:04}" for number in reversed(range(1_203))]
        self.changed = changed
        self.redriven: list[str] = []

    def __call__(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        if method == "GET":
            query = parse_qs(urlsplit(path).query)
            first = int(query.get("cursor", ["0"])[0])
            assert query["state"] == ["parked"]
            end = first + int(query["limit"][0])
            page = [{"id": id, "to": "police", "last_error": f"HTTP {400 + int(id[1:]) % 7}"} for id in self.ids]
            return 200, {"commands": page[first:end], "next": str(end) if end < len(page) else None}
        assert 1 <= len(body["ids"]) <= 1_000
        for id in body["ids"]:
            if id in self.changed:
                return 409, {"detail": f"command {id} is pending", "id": id}
        self.redriven += body["ids"]
        return 202, {"redriven": len(body["ids"])}


def test_thousands_go_in_the_order_of_decision_without_those_that_changed_meanwhile(
    answering: Answering, capsys: pytest.CaptureFixture[str]
) -> None:
    answering.answer = api = Api({"c0000", "c0600", "c0601", "c1202"})
    assert run(["commands", "redrive", "--rule", "r", "--yes", "--url", answering.url]) == 0
    assert api.redriven == [f"c{number:04}" for number in range(1_203) if f"c{number:04}" not in api.changed]
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "1,203 parked: 1,203 to police"
    assert lines[1] == "        172  HTTP 405"
    assert lines[-2] == "             and 2 other reasons"
    assert lines[-1] == "1,199 redriven; 4 had changed meanwhile"


@pytest.mark.parametrize(("said", "sent"), [("y", 1_203), ("n", 0), ("", 0)])
def test_on_a_terminal_it_asks(
    said: str,
    sent: int,
    answering: Answering,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setattr("builtins.input", lambda question: asked.append(question) or said)
    answering.answer = api = Api(set())
    assert run(["commands", "redrive", "--state", "parked", "--url", answering.url]) == (0 if sent else 2)
    assert (len(api.redriven), asked) == (sent, ["redrive 1,203 commands? [y/N] "])


@pytest.mark.parametrize(
    "arguments",
    [[], ["c1", "--to", "police"], ["--state", "done"], ["--state", "retrying", "--to", "police"], ["--yes"]],
)
def test_what_cannot_be_meant_is_wrong_usage(
    arguments: list[str], answering: Answering, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["commands", "redrive", *arguments, "--url", answering.url]) == 2
    assert "--state parked" in capsys.readouterr().err
    assert answering.requests == []


def test_what_is_cancelled_is_found_in_every_state_and_what_was_sent_meanwhile_is_told(
    answering: Answering, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[Any] = []

    def answer(method: str, path: str, body: Any) -> tuple[int, Any]:
        if method == "GET":
            (state,) = parse_qs(urlsplit(path).query)["state"]
            ids = {"pending": ["p1"], "retrying": ["r1", "p1", "r2"], "waiting": [], "parked": []}[state]
            found = [{"id": id, "to": "police", "last_error": None} for id in ids]
            return 200, {"commands": found, "next": None}
        asked.append(body)
        return 202, {"cancelled": len(body["ids"]) - 1}

    answering.answer = answer
    assert run(["commands", "cancel", "--rule", "r", "--yes", "--url", answering.url]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "3 retrying: 3 to police"
    assert lines[-1] == "2 cancelled; 1 had changed meanwhile"
    assert asked == [{"ids": ["r2", "r1", "p1"], "reason": "cancelled by hand"}]
    assert run(["commands", "cancel", "--state", "done", "--url", answering.url]) == 2
    assert "only what is pending, retrying, waiting or parked is cancelled" in capsys.readouterr().err


def test_a_refusal_that_is_not_about_one_command_ends_it(
    answering: Answering, capsys: pytest.CaptureFixture[str]
) -> None:
    api = Api(set())
    answering.answer = lambda method, path, body: (
        api(method, path, body) if method == "GET" else (500, {"detail": "ouch"})
    )
    assert run(["commands", "redrive", "--to", "police", "--yes", "--url", answering.url]) == 1
    assert "ouch" in capsys.readouterr().err
