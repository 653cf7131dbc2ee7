"""`orchestrator rules fmt`: rule files in one form.

Each file is taken by itself: what is wrong in one keeps no other from being written, and the exit status tells.
"""

from __future__ import annotations

import os
import sys
from difflib import unified_diff
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from orchestrator.cli.exits import FAILED, OK, USAGE, CommandFailed
from orchestrator.cli.rules import rule_paths
from orchestrator.cli.show import count, json_line, line, note
from orchestrator.rule_files import RuleFilesError, read_rule_files, where_files_lie
from replay.files import written_beside

STDIN = Path("-")


def put_into_form(
    *paths: Annotated[Path, Parameter(allow_leading_hyphen=True)],
    check: bool = False,
    diff: bool = False,
    json: bool = False,
) -> int:
    """Put rule files into one form: indentation, order of keys, empty lines. Comments and quotes stay.

    Example: orchestrator rules fmt rules.yaml

    Parameters
    ----------
    paths
        Rule files or folders; by default ./rules.yaml or ./rules. With - alone stdin is written to stdout.
    check
        Write nothing and name the files that are not in form; exit status 1 if there is one.
    diff
        Write nothing and print what would change; exit status 1 if anything would.
    json
        Print one JSON object: the files that `changed`, or would, and those that are `broken`.
    """
    from orchestrator.settings import load

    if diff and json:
        raise CommandFailed("--diff and --json contradict each other: choose one", USAGE)
    if paths == (STDIN,):
        text = _formed("stdin", sys.stdin.buffer.read())
        if text is None:
            return FAILED
        sys.stdout.write(text)
        return OK
    try:
        found = rule_paths(paths, load().rules)
        files, bodies = where_files_lie(found), read_rule_files(found)
    except RuleFilesError as error:
        raise CommandFailed(str(error)) from error
    changed: list[str] = []
    broken: list[str] = []
    for name, body in bodies.items():
        text = _formed(name, body)
        if text is None:
            broken.append(name)
        elif (made := text.encode()) != body:
            changed.append(name)
            if not (check or diff):
                _replace(files[name].resolve(), made)
            if json:
                continue
            if diff:
                _show(name, body, text)
            else:
                line(f"{name} is {'not in form' if check else 'in form now'}")
    if json:
        json_line({"changed": changed, "broken": broken})
    rest = len(bodies) - len(changed) - len(broken)
    note(f"{count(len(changed), 'file')} {'would change' if check or diff else 'changed'}, {rest:,} in form already")
    return FAILED if broken or (changed and (check or diff)) else OK


def _formed(name: str, body: bytes) -> str | None:
    """None where it cannot be; why is said."""
    from rules.diagnostics import RuleErrors
    from rules.formatting import FormatError, formatted

    try:
        return formatted(name, body)
    except RuleErrors as error:
        note(error.render())
    except FormatError as error:
        note(f"{name}: {error}")
    return None


def _show(name: str, body: bytes, text: str) -> None:
    before = body.decode("utf-8", "replace").splitlines(keepends=True)
    for each in unified_diff(before, text.splitlines(keepends=True), name, f"{name} in form"):
        sys.stdout.write(each if each.endswith("\n") else f"{each}\n\\ No newline at end of file\n")
    sys.stdout.flush()


def _replace(file: Path, body: bytes) -> None:
    """Written beside and renamed, so that nobody ever finds half a file. Raises CommandFailed."""
    try:
        with written_beside(file) as opened:
            os.fchmod(opened.fileno(), file.stat().st_mode & 0o7777)
            opened.write(body)
    except OSError as error:
        raise CommandFailed(f"{file}: {error.strerror or error}") from error
