"""`rules eval`: an expression over an event, its value as JSON or what is wrong with it."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from orchestrator.cli.main import run

Output = pytest.CaptureFixture[str]
EVENT = {"type": "order.placed", "subject": "o1", "time": "2024-02-01T12:30:00+01:00", "tenant": "t9"}
EVENT |= {"data": {"total": 7.0, "items": ["a", "b"], "nothing": None}}


@pytest.fixture
def event(tmp_path: Path) -> str:
    file = tmp_path / "event.json"
    file.write_text(json.dumps(EVENT))
    return str(file)


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("event.data.total * 2", 14),
        ("-event.data.total", -7),
        ("event.data.items.map(x, x + key)", ["ao1", "bo1"]),
        ("event.time + duration('1d') == now + duration('24h')", True),
        ("now", "2024-02-01T11:30:00Z"),
        ("event.tenant + event.id", "t91"),
        ("has(event.data.nothing.x)", False),
        ("event.data", {"total": 7, "items": ["a", "b"], "nothing": None}),
    ],
)
def test_the_value_is_printed_as_json(event: str, capsys: Output, expression: str, value: object) -> None:
    assert run(["rules", "eval", expression, "--event", event]) == 0
    assert json.loads(capsys.readouterr().out) == value
    assert run(["rules", "eval", expression, "--event", event, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"ok": True, "value": value}


def test_key_and_now_can_be_said(event: str, capsys: Output) -> None:
    asked = ["rules", "eval", "key + ' ' + string(now)", "--key", "k", "--now", "2024-01-01T00:00:00Z"]
    for more in ([], ["--event", event]):
        assert run([*asked, *more]) == 0
        assert capsys.readouterr().out == '"k 2024-01-01T00:00:00Z"\n'
    assert run(["rules", "eval", "now", "--now", "soon"]) == 2


def test_the_event_may_come_from_stdin(capsys: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b'{"type": "a", "data": 3}')))
    assert run(["rules", "eval", "event.data + 1", "--event", "-"]) == 0
    assert capsys.readouterr().out == "4\n"


def test_a_result_of_a_command_is_an_event_too(tmp_path: Path, capsys: Output) -> None:
    file = tmp_path / "result.json"
    file.write_text('{"type": "orchestrator.command.parked", "subject": "k", "data": {"reason": "refused"}}')
    assert run(["rules", "eval", "event.data.reason", "--event", str(file)]) == 0
    assert capsys.readouterr().out == '"refused"\n'


MISTAKES = {
    "event.data.totl > 1": """
expression:1:1: error: `event.data.totl` is absent [expression]
    1 | event.data.totl > 1
      | ^^^^^^^^^^^^^^^
      = did you mean `total`?
""",
    "true &&\n  evnt.x": """
expression:2:3: error: unknown name `evnt` [expression]
    2 |   evnt.x
      |   ^^^^
      = did you mean `event`?
""",
    "fines.amount": """
expression:1:1: error: unknown name `fines` [expression]
    1 | fines.amount
      | ^^^^^
      = only `event`, `key` and `now` are known here: rows, `let` values and tables need a rule set
""",
    "event.data.total =": """
expression:1:18: error: unexpected `=` [expression]
    1 | event.data.total =
      |                  ^
      = use `==` to compare
""",
    "1 + event.data.items[5]": """
expression:1:5: error: no index 5 in a list of 2 [expression]
    1 | 1 + event.data.items[5]
      |     ^^^^^^^^^^^^^^^^^^^
""",
}


@pytest.mark.parametrize("expression", MISTAKES)
def test_what_has_no_value_says_why_and_where(event: str, capsys: Output, expression: str) -> None:
    assert run(["rules", "eval", expression, "--event", event]) == 1
    printed = capsys.readouterr()
    assert printed.err == MISTAKES[expression].lstrip("\n")
    assert printed.out == ""


def test_an_error_has_a_form_for_programs(capsys: Output) -> None:
    assert run(["rules", "eval", "event.data.x", "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["ok"] is False
    assert (found["error"]["column"], found["error"]["hint"]) == (1, "`--event FILE` gives it")


@pytest.mark.parametrize(
    ("text", "said"),
    [("{", "holds no JSON"), ("[]", "an event is a JSON object"), ('{"subject": "x"}', "`type` is missing")],
)
def test_what_is_no_event_is_refused(tmp_path: Path, capsys: Output, text: str, said: str) -> None:
    file = tmp_path / "event.json"
    file.write_text(text)
    assert run(["rules", "eval", "1", "--event", str(file)]) == 1
    assert said in capsys.readouterr().err
    assert run(["rules", "eval", "1", "--event", str(tmp_path / "none")]) == 1
    assert "none: No such file" in capsys.readouterr().err
