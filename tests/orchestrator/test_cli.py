"""The command line as a user calls it, in this process: output, and exit status."""

import json

import pytest

from orchestrator.cli.main import run


def test_version_is_shown_to_people_and_programs(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["version"]) == 0
    assert capsys.readouterr().out.startswith("orchestrator ")
    assert run(["version", "--json"]) == 0
    assert set(json.loads(capsys.readouterr().out)) == {"orchestrator", "python"}


def test_an_unknown_command_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["fly"]) == 2
    assert run(["version", "--loud"]) == 2
