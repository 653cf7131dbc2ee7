"""What is wrong with a rule file, and how it is shown: place, caret, hint.

Everything that reads or checks rules says so with a `Diagnostic`; loading collects many of them (`Findings`) and raises
them together (`RuleErrors`). Messages begin in lower case unless with a name, quote with back-ticks and have no full
stop; that is asserted here, so text of users must pass `shown` on its way into a message. So is that every code has its
entry in `rules.codes`. Nothing here does input or output.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Final

from rules.codes import CODES
from rules.codes import Severity as Severity

MOST_ERRORS: Final = 50
"""So many are collected; who made more mistakes wants to begin somewhere."""
MOST_WARNINGS: Final = 200
WIDEST: Final = 100
"""Characters shown of a source line."""


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """Lines and columns count from 1, in code points; `end_column` is behind the last character meant."""

    severity: Severity
    code: str
    message: str
    file: str
    line: int
    column: int
    end_column: int
    hint: str | None = None
    source_line: str = ""

    def __post_init__(self) -> None:
        for text in (self.message, self.hint):
            assert text is None or well_said(text), text
        assert self.code in CODES, f"rules/codes.py does not know {self.code}"

    def render(self) -> str:
        """Several lines for a person, without one at the end."""
        lines = [f"{self.file}:{self.line}:{self.column}: {self.severity}: {self.message} [{self.code}]"]
        if self.source_line.strip():
            text, before, meant = _cut(self.source_line, self.column - 1, self.end_column - 1)
            number = str(self.line)
            lines.append(f"{number:>5} | {text}")
            lines.append(f"{'':>5} | {' ' * before}{'^' * meant}")
        if self.hint is not None:
            lines.append(f"{'':>5} = {self.hint}")
        return "\n".join(lines)

    def as_json(self) -> dict[str, Any]:
        return {
            "severity": self.severity,
            "code": self.code,
            "message": self.message,
            "file": self.file,
            "line": self.line,
            "column": self.column,
            "end_column": self.end_column,
            "hint": self.hint,
        }


class RuleErrors(Exception):
    """Rules that cannot be used. `diagnostics` holds what was found, errors and warnings, in the order of the files;
    `more` says that there were further errors than are kept."""

    def __init__(self, diagnostics: Sequence[Diagnostic], more: bool = False) -> None:
        self.diagnostics = tuple(diagnostics)
        self.more = more
        super().__init__(self.render())

    def render(self) -> str:
        text = render(self.diagnostics)
        return f"{text}\n\nthere are more errors than these {MOST_ERRORS}" if self.more else text


def render(diagnostics: Iterable[Diagnostic]) -> str:
    return "\n\n".join(diagnostic.render() for diagnostic in diagnostics)


class Findings:
    """Diagnostics on their way to whoever asked: as many as are worth reading."""

    def __init__(self, files: Iterable[str] = ()) -> None:
        """`files` in the order in which they are to be reported."""
        self._order = {file: place for place, file in enumerate(files)}
        self._found: dict[Diagnostic, None] = {}
        self.errors = 0
        self.warnings = 0

    def add(self, diagnostic: Diagnostic) -> None:
        if diagnostic in self._found:
            return
        if diagnostic.severity == "error":
            self.errors += 1
            if self.errors <= MOST_ERRORS:
                self._found[diagnostic] = None
        else:
            self.warnings += 1
            if self.warnings <= MOST_WARNINGS:
                self._found[diagnostic] = None

    @property
    def full(self) -> bool:
        return self.errors > MOST_ERRORS

    def sorted(self) -> list[Diagnostic]:
        last = len(self._order)
        return sorted(self._found, key=lambda each: (self._order.get(each.file, last), each.line, each.column))

    def raise_errors(self) -> None:
        """RuleErrors, if there is any error."""
        if self.errors:
            raise RuleErrors(self.sorted(), self.full)


def shown(text: str, most: int = 60) -> str:
    """A user's text in back-ticks: short, on one line, and without back-ticks of its own."""
    cut = text if len(text) <= most else text[: most - 1] + "…"
    return "`" + "".join(c if c.isprintable() and c != "`" else _escape(c) for c in cut) + "`"


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    close = closest(word, known)
    return None if close is None else f"did you mean {shown(close)}?"


def closest(word: str, known: Iterable[str]) -> str | None:
    """The known word that was probably meant."""
    if len(word) > 200:
        return None
    candidates = list(known)
    for candidate in candidates:
        if candidate.lower() == word.lower():
            return candidate
    found = get_close_matches(word, candidates, 1, 0.6)
    return found[0] if found else None


def one_of(words: Sequence[str]) -> str:
    """`a`, `b` or `c`."""
    quoted = [shown(word) for word in words]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} or {quoted[-1]}"


def well_said(text: str) -> bool:
    """The style of all messages and hints. A first word in capitals is a name (YAML, CEL, UTF-8)."""
    first = text.split(" ", 1)[0]
    starts = bool(first) and (not first[0].isupper() or first.isupper())
    return starts and not text.endswith(".") and "\n" not in text


def tidy(text: str) -> str:
    """A message from elsewhere, in the style of ours."""
    text = " ".join(text.split()).rstrip(". ")
    first = text.split(" ", 1)[0]
    return text if not first[:1].isupper() or first.isupper() else text[0].lower() + text[1:]


def _escape(character: str) -> str:
    if character == "`":
        return "'"
    return {"\n": "\\n", "\t": "\\t", "\r": "\\r"}.get(character, f"\\u{ord(character):04x}")


def _cut(line: str, start: int, end: int) -> tuple[str, int, int]:
    """The part of a line that is worth showing, how far in the caret begins on a terminal, and how long it is."""
    line = line.replace("\t", " ")
    start = min(start, len(line))
    end = min(max(end, start + 1), max(len(line), start + 1))
    first = 0
    if len(line) > WIDEST:
        first = max(0, min(start - WIDEST // 3, len(line) - WIDEST))
    last = min(len(line), first + WIDEST)
    left, right = ("…" if first else ""), ("…" if last < len(line) else "")
    text = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in line[first:last])
    before = len(left) + _width(text[: start - first])
    meant = max(1, _width(text[start - first : min(end, last) - first]))
    return f"{left}{text}{right}", before, meant


def _width(text: str) -> int:
    """Columns on a terminal."""
    wide = sum(unicodedata.east_asian_width(c) in "WF" for c in text)
    return len(text) + wide - sum(unicodedata.combining(c) != 0 for c in text)
