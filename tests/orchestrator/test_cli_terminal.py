"""The command line at a terminal: completion in each shell, tables that fit, colours only where they are wanted."""

import contextlib
import inspect
import os
import pty
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.cli.main import COMMANDS, GROUPS, run
from orchestrator.cli.show import table
from tests.orchestrator.test_cli_mistakes import CALL

SHELLS = ("bash", "zsh", "fish")


@pytest.fixture(scope="module")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("completion")
    found = {shell: folder / f"_{shell}" for shell in SHELLS}
    for shell, file in found.items():
        assert run(["--install-completion", "--shell", shell, "--output", str(file)]) == 0
    return found


def completed(script: Path, *words: str) -> list[str]:
    """What bash offers for the last of these words."""
    program = """
        source "$1"; shift
        COMP_WORDS=(orchestrator "$@"); COMP_CWORD=$#; COMP_LINE="${COMP_WORDS[*]}"; COMP_POINT=${#COMP_LINE}
        _orchestrator orchestrator "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}"
        printf '%s\\n' "${COMPREPLY[@]}"
    """
    call = ["bash", "--noprofile", "--norc", "-c", program, "bash", str(script), *words]
    return subprocess.run(call, capture_output=True, text=True, check=True, timeout=60).stdout.split()


def test_bash_completes_groups_commands_and_flags(scripts: dict[str, Path]) -> None:
    first = {name.split()[0] for name in COMMANDS}
    assert set(completed(scripts["bash"], "")) == first
    for group in GROUPS:
        verbs = {name.split()[1] for name in COMMANDS if name.startswith(f"{group} ")}
        assert set(completed(scripts["bash"], group, "")) == verbs
    assert completed(scripts["bash"], "comm") == ["commands"]
    assert completed(scripts["bash"], "commands", "ca") == ["cancel"]
    assert {"--state", "--reason", "--yes", "--json"} <= set(completed(scripts["bash"], "commands", "cancel", "--"))
    assert completed(scripts["bash"], "events", "tail", "--sin") == ["--since"]


@pytest.mark.parametrize("shell", SHELLS)
def test_the_completion_of_every_shell_knows_every_command_and_flag(shell: str, scripts: dict[str, Path]) -> None:
    text = scripts[shell].read_text()
    if shutil.which(shell):
        subprocess.run([shell, "-n", str(scripts[shell])], check=True, timeout=60)
    for name, target in COMMANDS.items():
        module, _, function = target.partition(":")
        called = getattr(import_module(f"orchestrator.cli.{module}"), function)
        flags = [
            parameter.name.replace("_", "-")
            for parameter in inspect.signature(called).parameters.values()
            if parameter.kind is parameter.KEYWORD_ONLY
        ]
        for word in [*name.split(), *flags]:
            assert re.search(rf"(?<!\w)(?<!\w-){re.escape(word)}(?![\w-])", text), f"{shell}: {name} {word}"


def shown(headers: Sequence[str], rows: Sequence[Sequence[str]], columns: int | None) -> list[str]:
    lines: list[str] = []
    room = {"COLUMNS": str(columns)} if columns is not None else {}
    with (
        patch.dict(os.environ, room),
        patch.object(sys, "stdout", wraps=sys.stdout) as out,
        patch("orchestrator.cli.show.line", lines.append),
    ):
        out.isatty = lambda: columns is not None
        table(headers, rows)
    return lines


CELLS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=60)


@given(rows=st.lists(st.tuples(CELLS, CELLS, CELLS), max_size=5), columns=st.integers(20, 120))
def test_a_table_fits_its_terminal_and_is_whole_in_a_pipe(rows: list[tuple[str, ...]], columns: int) -> None:
    headers = ("id", "state", "reason")
    lines = shown(headers, rows, columns)
    assert all(len(line) <= columns for line in lines)
    assert lines[0].split() == list(headers)
    whole = shown(headers, rows, None)
    assert [line.split() for line in whole[1:]] == [list(row) for row in rows]
    if all(len(line) <= columns for line in whole):
        assert lines == whole
    for line, row in zip(lines[1:], rows, strict=True):
        for cell, text in zip(line.split(), row, strict=True):
            assert cell == text or (cell.endswith("…") and text.startswith(cell[:-1]))


def test_the_widest_columns_are_shortened_first() -> None:
    lines = shown(("key", "reason", "n"), [("A15", "x" * 100, "7"), ("A1", "y", "12")], 30)
    assert lines == [
        "key  reason                 n",
        f"A15  {'x' * 20}…  7",
        f"A1   y{' ' * 20}  12",
    ]


def at_terminal(*arguments: str, **more: str) -> str:
    """What a terminal of 70 columns gets."""
    ours, theirs = pty.openpty()
    environment = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "CI", "COLUMNS")}
    call = [*CALL, *arguments]
    process = subprocess.Popen(
        call, stdin=theirs, stdout=theirs, stderr=theirs, env={**environment, "TERM": "xterm-256color", **more}
    )
    os.close(theirs)
    parts = []
    with contextlib.suppress(OSError):  # the end of a terminal
        while part := os.read(ours, 65_536):
            parts.append(part)
    os.close(ours)
    process.wait(60)
    return b"".join(parts).decode()


COLOUR = re.compile(r"\x1b\[[\d;]*(3[0-7]|38|9[0-7])[\d;]*m")


def test_colours_are_left_out_where_nobody_wants_them() -> None:
    assert COLOUR.search(at_terminal("commands", "--help"))
    assert not COLOUR.search(at_terminal("commands", "--help", NO_COLOR="1"))
    assert (
        "\x1b" not in subprocess.run([*CALL, "commands", "--help"], capture_output=True, text=True, check=True).stdout
    )


def test_every_command_speaks_json() -> None:
    for name, target in COMMANDS.items():
        module, _, function = target.partition(":")
        parameters = inspect.signature(getattr(import_module(f"orchestrator.cli.{module}"), function)).parameters
        assert "json" in parameters, name
