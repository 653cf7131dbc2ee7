"""What can be typed wrongly, or be wrong around a command: one line that says what and what to do, and a status."""

import gzip
import http.server
import io
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.cli.main import run

NOBODY = "http://127.0.0.1:1"
GOOD = {"id": "1", "source": "s", "type": "t", "subject": "A", "time": "2020-01-01T00:00:00Z"}
LINE = json.dumps(GOOD).encode()
CALL = [sys.executable, "-c", "from orchestrator.cli import main; main()"]


def said(capsys: pytest.CaptureFixture[str]) -> str:
    """The one line on stderr; nothing is on stdout."""
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("orchestrator: ")
    assert err.count("\n") == 1
    return err


@pytest.mark.parametrize(
    ("url", "status", "text"),
    [
        (NOBODY, 5, "is the server running?"),
        ("http://127.0.0.1:99999", 2, "Port out of range"),
        ("http://127.0.0.1:x", 2, "--url=http://127.0.0.1:x"),
        ("http://[::1", 2, "Invalid IPv6 URL"),
        ("http://", 2, "names no host"),
        ("http://a b", 2, "write an address such as"),
        ("ftp://x", 2, "write an address such as"),
        ("127.0.0.1:8000", 2, "write an address such as"),
    ],
)
def test_an_address_that_is_none_or_where_nobody_is(
    capsys: pytest.CaptureFixture[str], url: str, status: int, text: str
) -> None:
    assert run(["commands", "list", "--url", url]) == status
    assert text in said(capsys)


class Stranger(http.server.BaseHTTPRequestHandler):
    """Answers everything with what its server holds."""

    def do_GET(self) -> None:
        status, body = self.server.holds  # type: ignore[attr-defined]
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Silent."""


@pytest.fixture
def stranger() -> Iterator[http.server.HTTPServer]:
    server = http.server.HTTPServer(("127.0.0.1", 0), Stranger)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join(20)
    server.server_close()


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b"{}"),
        (200, b"[]"),
        (200, b"<html>"),
        (200, b""),
        (404, b"<html>"),
        (404, b"{}"),
        (500, b"[]"),
        (502, b""),
    ],
)
def test_a_server_that_is_no_orchestrator_is_told_from_one(
    capsys: pytest.CaptureFixture[str], stranger: http.server.HTTPServer, status: int, body: bytes
) -> None:
    stranger.holds = (status, body)  # type: ignore[attr-defined]
    assert run(["partitions", "list", "--url", f"http://127.0.0.1:{stranger.server_port}"]) == 5
    assert f"http://127.0.0.1:{stranger.server_port} gave " in said(capsys)


@pytest.mark.parametrize(
    "arguments",
    [
        ["projections", "get", "orders", "\udcff"],
        ["commands", "show", "\udcff"],
        ["commands", "list", "--key", "\udcff"],
        ["commands", "redrive", "\udcff"],
        ["parked", "unpark", "\udcff"],
        ["parked", "show", "\udcff"],
    ],
)
def test_arguments_that_are_no_unicode_are_refused(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    assert run([*arguments, "--url", NOBODY]) == 2
    assert "not valid Unicode" in said(capsys)


def test_redriving_nothing_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["commands", "redrive", "--url", NOBODY]) == 2
    assert "--state parked" in said(capsys)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"\xff\xfe\x00", ":1: the event is not UTF-8"),
        (LINE + b"\n\n{\n", ":3: the event is not valid JSON"),
        (b"[" + LINE + b"]", ":1: an event must be a JSON object"),
        (LINE + b"\n" + LINE + b"," + LINE, ":2: the event is not valid JSON"),
        (LINE.replace(b'"A"', b'"\\ud800"'), ":1: `subject` holds a lone surrogate"),
        (LINE.replace(b"2020", b"2099"), ":1: `time` is 2099"),
        (LINE.replace(b'"t"', b'"orchestrator.tick"'), ":1: `type` is"),
        (LINE.replace(b'"id"', b'"di"'), ":1: `id` is missing"),
        (b"x" * 1_100_000, ":1 is longer than 1,048,576 bytes"),
        (gzip.compress(LINE * 100, mtime=0)[:50], "cut off or damaged"),
        (gzip.compress(LINE, mtime=0) + b"more", "cut off or damaged"),
        (b"\x1f\x8b", "cut off or damaged"),
        (None, "No such file"),
        ("folder", "Is a directory"),
    ],
)
def test_a_bad_file_of_events_is_named_with_its_line_before_anything_is_sent(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes | str | None, text: str
) -> None:
    file = tmp_path / "events"
    if isinstance(content, bytes):
        file.write_bytes(content)
    elif content == "folder":
        file.mkdir()
    for command in ("publish", "import"):
        assert run(["events", command, str(file), "--url", NOBODY]) == 1
        assert f"{file}" in (found := said(capsys))
        assert text in found


def test_events_are_read_from_standard_input(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"\n{")))
    assert run(["events", "publish", "-", "--url", NOBODY]) == 1
    assert "-:2: the event is not valid JSON" in said(capsys)


def test_an_import_until_a_time_to_come_is_refused_before_anything_is_sent(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "events").write_bytes(LINE)
    call = ["events", "import", str(tmp_path / "events"), "--url", NOBODY, "--until"]
    assert run([*call, "2999-01-01T00:00:00Z"]) == 2
    assert "ahead of the clock" in said(capsys)
    assert run([*call, "soon"]) == 2
    assert "--until=soon" in said(capsys)


@pytest.mark.parametrize(
    ("log", "text"),
    [
        ("kafka://x", "names no log this version knows"),
        ("sqlite://[/", "is no address"),
        ("sqlite:///%00/log.db", "names no file"),
        ("sqlite:///{folder}", "is a folder"),
        ("sqlite:///{folder}/text", "is no SQLite database"),
        ("sqlite:///{folder}/none", "there is no log at"),
        ("memory://", "name one on disk"),
    ],
)
def test_a_log_that_cannot_be_opened_is_named_with_the_remedy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], log: str, text: str
) -> None:
    (tmp_path / "text").write_text("hello " * 1000)
    for command in ("verify", "rebuild"):
        assert run(["replay", command, "--log", log.format(folder=tmp_path)]) == 1
        assert text in said(capsys)


@pytest.mark.parametrize("stdout", ["closed", "full"])
def test_results_that_cannot_be_written_are_no_success(stdout: str) -> None:
    if stdout == "full":
        target = os.open("/dev/full", os.O_WRONLY)
    else:
        reader, target = os.pipe()
        os.close(reader)
    try:
        done = subprocess.run([*CALL, "version"], stdout=target, stderr=subprocess.PIPE, timeout=30, check=False)
    finally:
        os.close(target)
    assert done.returncode == 1
    assert b"Traceback" not in done.stderr
    assert (b"results cannot be written" in done.stderr) == (stdout == "full")


def test_a_target_that_needs_more_connections_than_the_pool_has_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "rules.yaml").write_text("ruleset: r\nrules: {a: {on: b, then: [{command: c, to: bank}]}}\n")
    (tmp_path / "targets.yaml").write_text(
        "targets: {bank: {kind: webhook, url: 'https://bank.example/', concurrency: 101}}\n"
    )
    call = [
        "server",
        "--log",
        "memory://",
        "--rules",
        f"{tmp_path}/rules.yaml",
        "--targets",
        f"{tmp_path}/targets.yaml",
    ]
    assert run(call) == 1
    found = said(capsys)
    assert "target `bank`: a `concurrency` of 101 needs more than the 100 connections" in found
    assert "ORCHESTRATOR_POOL_MAX" in found


def test_a_server_says_of_settings_that_they_change_nothing(tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text("ruleset: r\nrules: {a: {on: b, then: [{command: c, to: none}]}}\n")
    given = {"ORCHESTRATOR_CACHE_SIZE": "10000", "HEALTH_CHECK_INTERVAL": "30", "RULE_CACHE_TTL": "300"}
    call = [*CALL, "server", "--log", "memory://", "--rules", f"{tmp_path}/rules.yaml"]
    done = subprocess.run(call, env={**os.environ, **given}, stderr=subprocess.PIPE, timeout=60, check=False)
    assert done.returncode == 1, "the target does not exist"
    warned = [json.loads(line)["text"] for line in done.stderr.splitlines() if line.startswith(b"{")]
    assert [text.split()[0] for text in warned] == ["ORCHESTRATOR_CACHE_SIZE", "HEALTH_CHECK_INTERVAL"]
