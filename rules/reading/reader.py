"""What all readers of nodes share: scalars of a wanted kind, maps of known keys, and errors at the right place."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from rules import cel
from rules.diagnostics import Diagnostic, Findings, Severity, did_you_mean, one_of, shown, tidy
from rules.model.source import Span, Written
from rules.text.nodes import Mapping, Node, Scalar, Sequence, kind
from rules.text.scalars import NoValue, resolve
from rules.text.source import Source
from streams import duration, rfc3339

_NOT_BOOLEANS = {"yes": "true", "on": "true", "y": "true", "no": "false", "off": "false", "n": "false"}
LARGEST_INTEGER = 2**53


class Reader:
    """Reads one file. `parsed` may be shared between files: expressions of equal text are parsed once."""

    def __init__(self, source: Source, findings: Findings, parsed: dict[str, cel.Node] | None = None) -> None:
        self.source = source
        self.findings = findings
        self.parsed = {} if parsed is None else parsed
        self.functions: frozenset[str] = frozenset()
        """Functions beside those of the profile that expressions may call at the moment."""

    @contextmanager
    def calling(self, functions: frozenset[str]) -> Iterator[None]:
        """Expressions that are read inside may call these functions, too."""
        before, self.functions = self.functions, functions
        try:
            yield
        finally:
            self.functions = before

    # ------------------------------------------------------------ places and errors

    def span(self, node: Node) -> Span:
        return Span(self.source.name, node.line, node.column)

    def written(self, scalar: Scalar) -> Written:
        return Written(self.source.text[scalar.start : scalar.end], scalar.style, self.span(scalar))

    def line_of(self, _file: str, line: int) -> str:
        return self.source.line(line)

    def error(self, node: Node, code: str, message: str, hint: str | None = None) -> None:
        self._report("error", node, code, message, hint)

    def warn(self, node: Node, code: str, message: str, hint: str | None = None) -> None:
        self._report("warning", node, code, message, hint)

    def _report(self, severity: Severity, node: Node, code: str, message: str, hint: str | None) -> None:
        line = self.source.line(node.line)
        length = node.end - node.start if isinstance(node, Scalar) else 1
        end = min(node.column + max(1, length), max(len(line), node.column) + 1)
        found = Diagnostic(severity, code, message, self.source.name, node.line, node.column, end, hint, line)
        self.findings.add(found)

    # ------------------------------------------------------------ maps and lists

    def fields(self, node: Node, what: str, known: Iterable[str]) -> dict[str, Node] | None:
        """The values of a map by key. Keys that are not known are errors."""
        entries = self.entries(node, what)
        if entries is None:
            return None
        known = list(known)
        found: dict[str, Node] = {}
        for name, (key, value) in entries.items():
            if name in known:
                found[name] = value
            else:
                hint = did_you_mean(name, known) or _known(known)
                self.error(key, "unknown-key", f"{what} has no {shown(name)}", hint)
        return found

    def entries(self, node: Node, what: str) -> dict[str, tuple[Scalar, Node]] | None:
        """Those of a map whose keys are names that the author chooses."""
        if isinstance(node, Mapping):
            return node.entries
        hint = None
        if isinstance(node, Scalar) and ":" in node.value and node.style == "plain":
            hint = "for YAML a key needs a space behind its `:`"
        elif isinstance(node, Sequence) and self.source.text.startswith("-", node.start):
            hint = "leave out the `- ` before the keys"
        self.error(node, "wrong-kind", f"{what} needs a map, not {kind(node)}", hint)
        return None

    def items(self, node: Node, what: str, hint: str | None = None) -> list[Node] | None:
        if isinstance(node, Sequence):
            return node.items
        if hint is None and isinstance(node, Mapping):
            hint = "put `- ` before each item"
        self.error(node, "wrong-kind", f"{what} needs a list, not {kind(node)}", hint)
        return None

    # ------------------------------------------------------------ scalars

    def scalar(self, node: Node, what: str, wanted: str) -> Scalar | None:
        if isinstance(node, Scalar) and not (node.style == "plain" and node.value in ("", "~", "null")):
            return node
        self.error(node, "wrong-kind", f"{what} needs {wanted}, not {_shown_kind(node)}")
        return None

    def text(self, node: Node, what: str) -> str | None:
        """A text as it is written: `7` and `true` are texts too where only a text can be meant."""
        scalar = self.scalar(node, what, "a text")
        if scalar is None:
            return None
        if not scalar.value.strip():
            self.error(node, "wrong-kind", f"{what} is empty")
            return None
        return scalar.value

    def boolean(self, node: Node, what: str) -> bool | None:
        if isinstance(node, Scalar) and node.style == "plain" and node.value in ("true", "false"):
            return node.value == "true"
        hint = None
        if isinstance(node, Scalar):
            word = node.value.lower()
            meant = word if word in ("true", "false") else _NOT_BOOLEANS.get(word)
            hint = f"write `{meant}`" if meant else None
        self.error(node, "wrong-kind", f"{what} needs `true` or `false`, not {_shown_kind(node)}", hint)
        return None

    def integer(self, node: Node, what: str) -> int | None:
        try:
            value = resolve(node) if isinstance(node, Scalar) else None
        except NoValue as error:
            self.error(node, "wrong-kind", str(error))
            return None
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, int) and not isinstance(value, bool) and abs(value) <= LARGEST_INTEGER:
            return value
        self.error(node, "wrong-kind", f"{what} needs a whole number, not {_shown_kind(node)}")
        return None

    def choice(self, node: Node, what: str, words: tuple[str, ...]) -> str | None:
        if isinstance(node, Scalar) and node.value in words:
            return node.value
        hint = did_you_mean(node.value, words) if isinstance(node, Scalar) else None
        self.error(node, "wrong-kind", f"{what} needs {one_of(words)}, not {_shown_kind(node)}", hint)
        return None

    def duration(self, node: Node, what: str) -> int | None:
        """Microseconds."""
        scalar = self.scalar(node, what, "a duration such as 10m")
        if scalar is None:
            return None
        try:
            return duration.parse(scalar.value)
        except ValueError:
            hint = _duration_hint(scalar.value)
            if _TOO_LONG.fullmatch(scalar.value):
                hint = "the longest is 10,000 years"
            self.error(node, "bad-duration", f"{what} needs a duration, not {shown(scalar.value)}", hint)
            return None

    def time(self, node: Node, what: str) -> int | None:
        """Microseconds since 1970."""
        scalar = self.scalar(node, what, "a time such as 2024-01-31T12:30:00Z")
        if scalar is None:
            return None
        try:
            return rfc3339.parse(scalar.value)
        except ValueError as error:
            self.error(node, "bad-time", tidy(str(error)), "write RFC 3339 with `Z` or an offset")
            return None


def _known(known: list[str]) -> str:
    return f"it may have {one_of(known)}"


def _shown_kind(node: Node) -> str:
    return shown(node.value) if isinstance(node, Scalar) and node.value else kind(node)


def _duration_hint(text: str) -> str:
    compact = text.replace(" ", "").lower()
    if compact.isdigit() and compact.isascii():
        return f"a number needs its unit: `{compact[:12]}s`, `{compact[:12]}m`, `{compact[:12]}h` or `{compact[:12]}d`"
    for words, unit in _UNIT_WORDS:
        for word in words:
            number = compact.removesuffix(word)
            if number != compact and number.isdigit() and number.isascii() and len(number) < 12:
                return f"write `{int(number) * unit[0]}{unit[1]}`"
    return "write `500ms`, `30s`, `10m`, `48h`, `60d`, `2w`, or a sum such as `1h30m`, the longest unit first"


_TOO_LONG = re.compile(r"[0-9.]{8,}[smhdw]", re.ASCII)

# Months and years are no fixed time; so many days are what is mostly meant.
_UNIT_WORDS = (
    (("milliseconds", "millisecond", "msec", "millis", "ms"), (1, "ms")),
    (("seconds", "second", "secs", "sec", "s"), (1, "s")),
    (("minutes", "minute", "mins", "min", "m"), (1, "m")),
    (("hours", "hour", "hrs", "hr", "h"), (1, "h")),
    (("days", "day", "d"), (1, "d")),
    (("weeks", "week", "wk", "w"), (1, "w")),
    (("months", "month", "mo"), (30, "d")),
    (("years", "year", "yr", "y"), (365, "d")),
)
