"""`rules fmt`: files are written in form, or only named, or left alone with the reason."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from orchestrator.cli.main import run

Output = pytest.CaptureFixture[str]
UNTIDY = "rules:\n    r:   {then: [{alert: x}], on: a}  # why\nruleset: t\n"
TIDY = "ruleset: t\n\nrules:\n  r: {on: a, then: [{alert: x}]}  # why\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a.yaml").write_text(UNTIDY)
    (tmp_path / "b.yaml").write_text("ruleset: t\n")
    return tmp_path


def test_files_are_written_in_form(folder: Path, capsys: Output) -> None:
    (folder / "a.yaml").chmod(0o640)
    assert run(["rules", "fmt", str(folder)]) == 0
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("a.yaml is in form now\n", "1 file changed, 1 in form already\n")
    assert (folder / "a.yaml").read_text() == TIDY
    assert (folder / "a.yaml").stat().st_mode & 0o777 == 0o640
    assert sorted(file.name for file in folder.iterdir()) == ["a.yaml", "b.yaml"]
    assert run(["rules", "fmt", str(folder), "--check"]) == 0


def test_programs_are_told_what_changed_and_what_is_broken(folder: Path, capsys: Output) -> None:
    (folder / "c.yaml").write_text("rules: [")
    assert run(["rules", "fmt", str(folder), "--check", "--json"]) == 1
    assert json.loads(capsys.readouterr().out) == {"changed": ["a.yaml"], "broken": ["c.yaml"]}
    assert (folder / "a.yaml").read_text() == UNTIDY
    assert run(["rules", "fmt", str(folder), "--json"]) == 1
    assert json.loads(capsys.readouterr().out) == {"changed": ["a.yaml"], "broken": ["c.yaml"]}
    assert (folder / "a.yaml").read_text() == TIDY
    assert run(["rules", "fmt", str(folder), "--diff", "--json"]) == 2


def test_check_and_diff_write_nothing(folder: Path, capsys: Output) -> None:
    assert run(["rules", "fmt", str(folder), "--check"]) == 1
    assert capsys.readouterr().out == "a.yaml is not in form\n"
    assert run(["rules", "fmt", str(folder), "--diff"]) == 1
    shown = capsys.readouterr().out.splitlines()
    assert shown[:2] == ["--- a.yaml", "+++ a.yaml in form"]
    assert "-    r:   {then: [{alert: x}], on: a}  # why" in shown
    assert "+  r: {on: a, then: [{alert: x}]}  # why" in shown
    assert (folder / "a.yaml").read_text() == UNTIDY


def test_a_link_stays_a_link(folder: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.yaml"
    link.symlink_to(folder / "a.yaml")
    assert run(["rules", "fmt", str(link)]) == 0
    assert link.is_symlink()
    assert (folder / "a.yaml").read_text() == TIDY


def test_a_broken_file_is_left_alone_and_keeps_no_other_from_being_written(folder: Path, capsys: Output) -> None:
    (folder / "0.yaml").write_text("rules:\n   r: {on: a}\n")
    assert run(["rules", "fmt", str(folder)]) == 1
    said = capsys.readouterr().err
    assert "0.yaml:2:4: error: rule `r` does nothing: `then` is missing [missing]" in said
    assert (folder / "0.yaml").read_text() == "rules:\n   r: {on: a}\n"
    assert (folder / "a.yaml").read_text() == TIDY


def test_editors_pass_a_file_through(capsys: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(UNTIDY.encode())))
    assert run(["rules", "fmt", "-"]) == 0
    assert capsys.readouterr().out == TIDY
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"rules: [")))
    assert run(["rules", "fmt", "-"]) == 1
    assert capsys.readouterr().out == ""
