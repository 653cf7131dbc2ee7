"""`orchestrator targets test`: one marked command through the real adapter, and what became of it."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from orchestrator.cli.main import run


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
    )
    yield here
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_target_is_sent_a_command_that_says_it_is_a_test(
    receiver: type[Receiver], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["targets", "test", "police", "--args", '{"plate": "GX-700"}', "--json"]) == 0
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
    assert run(["targets", "test", "police"]) == 1
    assert capsys.readouterr().out.startswith("police: retry, status 503, ")


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["nobody"], 3, "there is no target `nobody`"),
        (["ours"], 2, "only workers of your own deliver to `ours`"),
        (["other"], 1, "NOT_HERE is not set"),
        (["police", "--args", "7"], 2, "write a JSON object"),
    ],
)
def test_what_cannot_be_sent_says_why(
    receiver: type[Receiver], arguments: list[str], status: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["targets", "test", *arguments]) == status
    assert said in capsys.readouterr().err
    assert receiver.received == []
