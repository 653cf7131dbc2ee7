"""What commands print: results on stdout, as JSON with `--json`; everything else on stderr."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

import msgspec


def json_line(document: Any) -> None:
    """One object on one line."""
    sys.stdout.write(msgspec.json.encode(document).decode() + "\n")
    sys.stdout.flush()


def line(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def note(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def table(headers: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Columns as wide as their widest cell; no lines, so that it can be piped."""
    cells = [[one_line(str(cell)) if cell is not None else "-" for cell in row] for row in rows]
    widths = [max(len(text) for text in column) for column in zip(headers, *cells, strict=True)]
    for row in (list(headers), *cells):
        line("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())


def one_line(text: str, longest: int | None = None) -> str:
    """For a terminal: texts come from outside, and may hold line ends or what moves the cursor."""
    shown = "".join(character if character.isprintable() else " " for character in text)
    return shown if longest is None or len(shown) <= longest else shown[: longest - 1] + "…"


class Advance(Protocol):
    def __call__(self, done: float, total: float) -> None: ...


@contextmanager
def progress(title: str) -> Iterator[Advance]:
    """A bar on stderr if that is a terminal; silent otherwise."""
    if not sys.stderr.isatty():
        yield lambda done, total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (TextColumn(title), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
