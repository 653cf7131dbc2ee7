"""Writes docs/cli.md from the commands themselves: `python -m tests.docs.cli_page`."""

import inspect
import re
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cyclopts import Argument

from orchestrator.cli.main import COMMANDS, GROUPS, build
from tests.docs.pages import ROOT, table

PAGE = ROOT / "docs/cli.md"
OPERATING = ROOT / "docs/operations/README.md"

HEAD = """# Command line

Every command, written from [the commands themselves](../orchestrator/cli/main.py); `orchestrator COMMAND --help` says
the same. [Quickstart](quickstart.md) shows the first of them at work, [Operating](operations/README.md) those of an
operator.

- **Results** go to stdout, everything else (progress, remarks, what went wrong) to stderr.
- **`--json`** prints one object; lists print one object a line, and the cursor of the next page on stderr.
- **Tables** fit the terminal: the widest columns are shortened. In a pipe they are whole. `NO_COLOR` turns colours
  off.
- **Servers** are found by `--url`, or ORCHESTRATOR_URL. An answer that is not there yet, or a server that is away, is
  exit status 5: try again. `events tail` and `projections watch` connect anew by themselves.
- **Times** are RFC 3339 (`2025-01-06T10:00:00Z`); where it says so, also how long ago, such as `15m` or `2d`.
- **Commands that act on many** count first and ask; `--yes` answers. Without a terminal and without `--yes` they only
  count.
- **Completion** for bash, zsh and fish: `orchestrator --install-completion`.

| exit status | meaning |
|---|---|
"""
KINDS = {str: "TEXT", int: "NUMBER", float: "NUMBER", Path: "PATH"}


def page() -> str:
    exits = "".join(f"| {status} | {meaning} |\n" for status, meaning in table(OPERATING.read_text(), "## Exit codes"))
    commands = (f"| [`{name}`](#orchestrator-{name.replace(' ', '-')}) | {_parts(name)[0]} |\n" for name in COMMANDS)
    listed = "\n| command | what it does |\n|---|---|\n" + "".join(commands)
    return HEAD + exits + listed + "".join(part for name in COMMANDS for part in _section(name))


def _section(name: str) -> Iterator[str]:
    group = name.partition(" ")[0]
    if group in GROUPS and name == next(each for each in COMMANDS if each.startswith(f"{group} ")):
        yield f"\n# {group}\n\n{GROUPS[group]}\n"
    summary, more, example = _parts(name)
    yield f"\n## orchestrator {name}\n\n{summary}\n"
    for text in more:
        yield f"\n{text}\n"
    yield f"\nExample: `{example}`\n\n| argument | value | default | meaning |\n|---|---|---|---|\n"
    yield from map(_argument, arguments(name))


def _parts(name: str) -> tuple[str, list[str], str]:
    """(summary, further paragraphs, example)."""
    said, _, _ = (inspect.getdoc(_function(name)) or "").partition("\nParameters\n")
    summary, *rest = (" ".join(each.split()) for each in said.strip().split("\n\n"))
    more = [each for each in rest if not each.startswith("Example: ")]
    (example,) = (each.removeprefix("Example: ") for each in rest if each.startswith("Example: "))
    return summary, more, example


def _function(name: str) -> Any:
    return _app(name).default_command


def _app(name: str) -> Any:
    found = build(eager=True)
    for word in name.split():
        found = found[word]
    return found


def arguments(name: str) -> list[Argument]:
    return list(_app(name).assemble_argument_collection(parse_docstring=True))


def _argument(found: Argument) -> str:
    names = [each for each in found.names if not re.match(r"--(no|empty)-", each)]
    many = found.field_info.kind is inspect.Parameter.VAR_POSITIONAL or typing.get_origin(found.hint) is tuple
    shown = ", ".join(f"`{each}`" for each in names) + (" …" if many else "")
    default = found.field_info.default
    written = (
        "needed" if found.required else "" if default in (None, False, (), inspect.Parameter.empty) else f"`{default}`"
    )
    meaning = " ".join((found.parameter.help or "").split()).replace("|", r"\|")
    return f"| {shown} | {_kind(found)} | {written} | {meaning} |\n"


def _kind(found: Argument) -> str:
    if choices := found.get_choices():
        return ", ".join(f"`{each}`" for each in choices)
    hint = found.hint
    if typing.get_origin(hint) in (typing.Union, types.UnionType, tuple):
        hint = next(each for each in typing.get_args(hint) if each not in (type(None), ...))
    return "" if hint is bool else KINDS[hint]


if __name__ == "__main__":
    PAGE.write_text(page())
