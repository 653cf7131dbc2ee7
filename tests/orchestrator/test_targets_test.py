"""`orchestrator targets test`: one marked command through the real adapter, and what became of it."""

import json
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, Literal

import pytest

from adapters import kinds
from adapters.kind import Kind, Surroundings
from adapters.target_file import TargetModel
from adapters.work import Outcome, Verdict, Work
from orchestrator.cli.main import run
from tests.adapters.aside import aside
from tests.adapters.openai_server import answer, model_server

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
TOKEN = "token-that-nobody-may-see"


class Receiver(BaseHTTPRequestHandler):
    answer = 204
    received: list[Any]

    def do_POST(self) -> None:
        self.received.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
        self.send_response(self.answer)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Not said."""


@pytest.fixture
def receiver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Receiver]]:
    here = type("Here", (Receiver,), {"received": []})
    server = HTTPServer(("127.0.0.1", 0), here)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.chdir(tmp_path)
    url = f"http://127.0.0.1:{server.server_port}/"
    Path("targets.yaml").write_text(
        f"targets:\n  police: {{kind: webhook, url: '{url}', allow: [127.0.0.1/32]}}\n"
        "  other: {kind: webhook, url: 'https://a.example', secret: env:NOT_HERE}\n  ours: {kind: worker}\n"
        f"  safe: {{kind: webhook, url: '{url}${{command.args.plate}}', allow: [127.0.0.1/32], secret: env:SECRET,\n"
        "    auth: {bearer: env:TOKEN}, headers: {x-key: '${command.key}'}}\n"
    )
    monkeypatch.setenv("SECRET", SECRET)
    monkeypatch.setenv("TOKEN", TOKEN)
    yield here
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_target_is_sent_a_command_that_says_it_is_a_test(
    receiver: type[Receiver], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["targets", "test", "police", "--args", '{"plate": "GX-700"}', "--yes", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["verdict"], shown["status"]) == ("done", "204")
    (command,) = receiver.received
    assert (command["command"], command["rule"], command["to"], command["args"]) == (
        "orchestrator.test",
        "orchestrator targets test",
        "police",
        {"plate": "GX-700"},
    )


def test_what_is_not_done_is_an_exit_status(receiver: type[Receiver], capsys: pytest.CaptureFixture[str]) -> None:
    receiver.answer = 503
    assert run(["targets", "test", "police", "--yes"]) == 1
    assert capsys.readouterr().out.startswith("police: retry, status 503, ")


def test_a_model_whose_first_answer_does_not_fit_is_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with aside(model_server()) as server:
        server.answer = lambda number, body: answer({} if number == 1 else {"urgent": True})
        Path("targets.yaml").write_text(
            f"targets:\n  triage: {{kind: langchain, model: 'openai:gpt-5-mini', base_url: '{server.url}',\n"
            "    api_key: env:KEY, prompt: Urgent, schema: {type: object, properties: {}, required: [urgent]}}\n"
        )
        monkeypatch.setenv("KEY", "sk-0123456789")
        assert run(["targets", "test", "triage", "--yes", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["verdict"], shown["result"]["answer"], shown["result"]["calls"]) == ("done", {"urgent": True}, 2)


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["nobody"], 3, "there is no target `nobody`: there are `alerts`, `log`, `other`, `ours`, `police`, `safe`"),
        (["polise"], 3, "there is no target `polise`: did you mean `police`?"),
        (["ours"], 2, "only workers of your own deliver to `ours`"),
        (["other"], 1, "NOT_HERE is not set"),
        (["police", "--args", "7"], 2, "write a JSON object"),
        (["police", "--dry-run", "--yes"], 2, "contradict"),
        (["police"], 2, "nothing was sent: add --yes"),
        (["police", "--json"], 2, "nothing was sent: add --yes"),
        (["safe", "--dry-run"], 1, "cannot be sent this command: the command has no args.plate"),
    ],
)
def test_what_cannot_be_sent_says_why(
    receiver: type[Receiver], arguments: list[str], status: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["targets", "test", *arguments]) == status
    assert said in capsys.readouterr().err
    assert receiver.received == []


def test_a_dry_run_shows_the_request_without_credentials_and_sends_nothing(
    receiver: type[Receiver], capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["targets", "test", "safe", "--dry-run", "--key", "k", "--args", '{"plate": "GX-700", "n": 1e2}']
    assert run(arguments) == 0
    request = json.loads(shown := capsys.readouterr().out)
    assert (request["method"], request["url"].rpartition("/")[2], request["body"]["args"]["plate"]) == (
        "POST",
        "GX-700",
        "GX-700",
    )
    assert {name: request["headers"][name] for name in ("x-key", "webhook-id", "authorization")} == {
        "x-key": "k",
        "webhook-id": request["body"]["id"],
        "authorization": "[redacted]",
    }
    assert run([*arguments, "--json"]) == 0
    shown += capsys.readouterr().out
    assert [secret for secret in (SECRET, SECRET[6:], TOKEN, "v1,") if secret in shown] == []
    assert receiver.received == []


@pytest.mark.parametrize(("said", "status", "sent"), [("y", 0, 1), ("", 2, 0)])
def test_on_a_terminal_it_shows_the_request_and_asks(
    said: str,
    status: int,
    sent: int,
    receiver: type[Receiver],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setattr("builtins.input", lambda question: asked.append(question) or said)
    assert run(["targets", "test", "police"]) == status
    assert (len(receiver.received), asked) == (sent, ["send it to police? [y/N] "])
    assert '"url": "http://127.0.0.1:' in capsys.readouterr().out


class SlowModel(TargetModel):
    kind: Literal["slow"]


class Slow:
    """Takes everything and does not say what came of it; nor what it would send."""

    async def deliver(self, work: Work) -> Outcome:
        return Outcome(Verdict.WAITING, retry_after=60.0, progress={"taken": True})

    async def close(self) -> None:
        """Nothing is held."""


def _make(name: str, model: SlowModel, around: Surroundings) -> Callable[[], Slow]:
    return Slow


KIND = Kind("slow", SlowModel, _make)


def test_what_is_taken_and_not_done_is_no_success(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(kinds.OURS, "slow", __name__)
    file = tmp_path / "targets.yaml"
    file.write_text("targets: {slow: {kind: slow}}\n")
    assert run(["targets", "test", "slow", "--yes", "--targets", str(file)]) == 1
    assert capsys.readouterr().out.startswith("slow: waiting, ")
    assert run(["targets", "test", "slow", "--dry-run", "--targets", str(file)]) == 0
    shown = capsys.readouterr()
    assert json.loads(shown.out)["command"] == "orchestrator.test"
    assert "do not say what they send" in shown.err
