"""What commands print: results on stdout, as JSON with `--json`; everything else on stderr."""

from __future__ import annotations

import shutil
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
    """Columns as wide as their widest cell; no lines, so that it can be piped. On a terminal that is too narrow the
    widest columns are shortened."""
    cells = [[one_line(str(cell)) if cell is not None else "-" for cell in row] for row in rows]
    widths = [max(len(text) for text in column) for column in zip(headers, *cells, strict=True)]
    room = terminal()
    if room is not None:
        widths = _fitting(widths, [len(header) for header in headers], room - 2 * (len(widths) - 1))
    for row in (list(headers), *cells):
        line("  ".join(one_line(text, width).ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())


def listed(
    columns: Sequence[str], found: Sequence[dict[str, Any]], rows: Sequence[Sequence[Any]], next: str | None, json: bool
) -> None:
    """One page of a list: `found` as JSON, a line each, or `rows` as a table; and how to see the next one."""
    if json:
        for each in found:
            json_line(each)
    else:
        table(columns, rows)
    if next is not None:
        note(f"more: --cursor {next}")


def terminal() -> int | None:
    """Its columns, if results go to one."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def _fitting(widths: Sequence[int], least: Sequence[int], room: int) -> list[int]:
    """The widest are cut to one width, so that all together have room; none becomes narrower than its header."""
    for most in range(max(widths), 0, -1):
        found = [min(width, max(most, floor)) for width, floor in zip(widths, least, strict=True)]
        if sum(found) <= room:
            return found
    return [min(width, floor) for width, floor in zip(widths, least, strict=True)]


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
