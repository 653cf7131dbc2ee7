"""`orchestrator targets check`: everything that is wrong with a targets file, where, and what to do."""

import json
from pathlib import Path
from typing import Any

import pytest

from orchestrator.cli.main import run

GOOD = "targets:\n  police:\n    kind: webhook\n    url: https://police.example/\n"
WRONG = """targets:
  police:
    kind: webhook
    adress: https://police.example/
    timeout: 5
  office: {kind: pigeon}
  tax:
    kind: webhook
    url: https://tax.example/
    concurency: 3
"""
RULES = "ruleset: r\nrules:\n  a:\n    on: x.y\n    then: [{command: c, to: polise}]\n"


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def checked(text: str, *more: str, status: int, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    Path("targets.yaml").write_text(text)
    assert run(["targets", "check", "--json", *more]) == status
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert found["ok"] is (status == 0)
    return found


def test_a_file_that_is_right_says_what_it_has(capsys: pytest.CaptureFixture[str]) -> None:
    Path("targets.yaml").write_text(GOOD)
    assert run(["targets", "check"]) == 0
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("targets.yaml: 3 targets: alerts, log, police\n", "")


def test_all_mistakes_of_all_targets_are_shown_with_their_place(capsys: pytest.CaptureFixture[str]) -> None:
    found = checked(WRONG, status=1, capsys=capsys)["diagnostics"]
    assert [(each["line"], each["column"], each["severity"]) for each in found] == [
        (2, 3, "error"),
        (4, 5, "error"),
        (5, 5, "error"),
        (6, 12, "error"),
        (10, 5, "error"),
    ]
    assert found[0]["message"] == "target `police`, `url`: is missing"
    assert found[3]["hint"] == "there are `langchain`, `log`, `temporal`, `webhook`, `worker`"
    assert found[4]["hint"] == "did you mean `concurrency`?"


def test_people_see_place_and_hint(capsys: pytest.CaptureFixture[str]) -> None:
    Path("other.yaml").write_text(WRONG)
    assert run(["targets", "check", "other.yaml"]) == 1
    shown = capsys.readouterr().err
    assert "other.yaml:10:5: error: target `tax`, `concurency`: is no key of it\n      = did you mean" in shown


def test_a_secret_that_is_not_here_is_a_warning_and_the_rest_is_checked(capsys: pytest.CaptureFixture[str]) -> None:
    text = GOOD + "    secret: [env:NOT_HERE, file:/not/here]\n    headers: {x-a: env:NOT_HERE}\n"
    found = checked(text, status=0, capsys=capsys)["diagnostics"]
    assert [(each["severity"], each["line"]) for each in found] == [("warning", 5), ("warning", 5), ("warning", 6)]
    assert "the secret `env:NOT_HERE` is not here: is not set" in found[0]["message"]
    assert "cannot be read" in found[1]["message"]


def test_an_address_that_is_a_secret_may_be_elsewhere_too(capsys: pytest.CaptureFixture[str]) -> None:
    text = GOOD.replace("https://police.example/", "env:NOT_HERE")
    (found,) = checked(text, status=0, capsys=capsys)["diagnostics"]
    assert (found["severity"], found["line"]) == ("warning", 4)


def test_no_secret_is_shown(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHORT", "whsec_c2hvcnQ=")
    found = checked(GOOD + "    secret: env:SHORT\n", status=1, capsys=capsys)
    assert "c2hvcnQ" not in json.dumps(found)


@pytest.mark.parametrize(
    ("url", "warned"),
    [
        ("http://police.example/", True),
        ("http://93.184.215.14/", True),
        ("https://police.example/", False),
        ("http://127.0.0.1:80/", False),
        ("http://10.1.2.3/", False),
        ("http://localhost/", False),
        ("http://police/", False),
        ("http://police.fines.svc/", False),
    ],
)
def test_a_public_host_without_tls_is_a_warning(url: str, warned: bool, capsys: pytest.CaptureFixture[str]) -> None:
    found = checked(GOOD.replace("https://police.example/", url), status=0, capsys=capsys)["diagnostics"]
    assert [each["hint"] for each in found] == (["write https://"] if warned else [])


def test_rules_that_name_a_target_which_is_not_there_are_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    Path("rules.yaml").write_text(RULES)
    found = checked(GOOD, "--rules", "rules.yaml", status=1, capsys=capsys)["diagnostics"]
    assert [(each["code"], each["hint"]) for each in found] == [("unknown-target", "did you mean `police`?")]


def test_more_attempts_at_once_than_connections_are_an_error(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORCHESTRATOR_POOL_MAX", "10")
    found = checked(GOOD + "    concurrency: 11\n", status=1, capsys=capsys)["diagnostics"]
    assert [(each["line"], each["hint"]) for each in found] == [(5, "choose less, or raise ORCHESTRATOR_POOL_MAX")]


@pytest.mark.parametrize("text", ["targets: [", "a: 1", "targets: 7", "targets: {a: 7}", "- 1"])
def test_what_is_no_targets_file_is_one_error(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert len(checked(text, status=1, capsys=capsys)["diagnostics"]) == 1


def test_without_a_file_it_says_how_to_name_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["targets", "check"]) == 2
    assert "ORCHESTRATOR_TARGETS" in capsys.readouterr().err
    assert run(["targets", "check", "none.yaml"]) == 1
    assert "none.yaml: No such file" in capsys.readouterr().err
