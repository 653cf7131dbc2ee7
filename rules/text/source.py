"""One rule file: its name, its text, and where in it things stand.

The text is what the digest of a rule set covers, so it is kept as it was, line ends included; only a byte order mark is
taken off. `decode` refuses, with its place, every character that a reader of YAML would refuse or take for a line end
where an editor shows none.
"""

from __future__ import annotations

import re
from typing import Final

from rules.diagnostics import Diagnostic, Findings

MAX_CHARACTERS: Final = 5_000_000

_LINE_END: Final = re.compile(r"\r\n|\n|\r")
_FORBIDDEN: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]")
_MARKS: Final = ((b"\xff\xfe", "UTF-16"), (b"\xfe\xff", "UTF-16"))


class Source:
    """Lines and columns count from 1, in code points."""

    __slots__ = ("lines", "name", "text")

    def __init__(self, name: str, text: str) -> None:
        self.name = name
        self.text = text
        self.lines = _LINE_END.split(text)

    def line(self, number: int) -> str:
        """The text of a line, without its end. Lines beyond the file are empty."""
        return self.lines[number - 1] if 0 < number <= len(self.lines) else ""


def decode(name: str, body: str | bytes, findings: Findings) -> Source | None:
    """The file's text, or None with an error in `findings`."""
    if isinstance(body, bytes):
        for mark, encoding in _MARKS:
            if body.startswith(mark):
                findings.add(_unreadable(name, f"the file is {encoding}", 1, 1, "", "save it as UTF-8"))
                return None
        if len(body) > 4 * MAX_CHARACTERS:
            findings.add(_too_long(name))
            return None
        try:
            text = body.decode("utf-8")
        except UnicodeDecodeError as error:
            before = body[: error.start].decode("utf-8")
            line, column, start = _place(before, len(before))
            shown = before[start:] + "\N{REPLACEMENT CHARACTER}"
            message = f"the byte 0x{body[error.start]:02X} is not valid UTF-8"
            findings.add(_unreadable(name, message, line, column, shown, "save the file as UTF-8"))
            return None
    else:
        text = body
    text = text.removeprefix("\ufeff")
    if len(text) > MAX_CHARACTERS:
        findings.add(_too_long(name))
        return None
    forbidden = _FORBIDDEN.search(text)
    if forbidden is None:
        return Source(name, text)
    line, column, start = _place(text, forbidden.start())
    code = ord(forbidden.group())
    hint = f'inside double quotes it can be written "\\u{code:04X}"' if code and not 0xD800 <= code < 0xE000 else None
    source_line = _LINE_END.split(text[start : start + 1000], maxsplit=1)[0]
    message = f"the character U+{code:04X} may not stand in a rule file"
    findings.add(_unreadable(name, message, line, column, source_line, hint))
    return None


def _place(text: str, index: int) -> tuple[int, int, int]:
    """Line, column, and the index where the line begins."""
    line, start = 1, 0
    for end in _LINE_END.finditer(text, 0, index):
        line, start = line + 1, end.end()
    return line, index - start + 1, start


def _too_long(name: str) -> Diagnostic:
    message = f"the file is longer than {MAX_CHARACTERS:,} characters"
    return _unreadable(name, message, 1, 1, "", "several files can make one rule set")


def _unreadable(name: str, message: str, line: int, column: int, source_line: str, hint: str | None) -> Diagnostic:
    return Diagnostic("error", "file", message, name, line, column, column + 1, hint, source_line)
