"""Templates to HTML. Autoescape is on for all of them; a name that a template misspells is an error, never empty.

Filters say what a value is for people: times in UTC, counts with separators, durations as one figure, JSON indented.
What is not known is None, and is shown as N/A, never as 0.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

import msgspec
from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from markupsafe import Markup, escape

from orchestrator.api.problem import printable
from streams import rfc3339

UNKNOWN: Final = Markup('<span class="unknown" title="not known">N/A</span>')
LONGEST_JSON: Final = 100_000
"""Characters of one value that a page shows on its own."""
LONGEST_CELL: Final = 500
"""The same in a table."""
LONGEST_NAME: Final = 200
"""Characters of a key or an id that a page shows."""


def render(template: str, values: Mapping[str, Any]) -> bytes:
    # Text of users may hold lone surrogates, which are no UTF-8: backslashes show them.
    return _templates.get_template(template).render(values).encode("utf-8", "backslashreplace")


def link(path: str, **parameters: Any) -> str:
    """An address with the parameters that are given. Keys of users go in here and never into a path, where browsers
    would make something else of `..` and `//`."""
    pairs = [(name, value) for name, value in parameters.items() if value is not None]
    return f"{path}?{urlencode(pairs, errors='backslashreplace')}" if pairs else path


def count(value: float | None) -> str | Markup:
    """Whole, with separators."""
    return UNKNOWN if value is None else f"{value:,.0f}"


def rate(value: float | None) -> str | Markup:
    """A number a second."""
    if value is None:
        return UNKNOWN
    return f"{value:,.0f}" if value >= 100 or value == 0 else f"{value:.1f}" if value >= 0.05 else "<0.1"


def seconds(value: float | None) -> str | Markup:
    """A duration as one figure and its unit."""
    if value is None:
        return UNKNOWN
    if value < 0.001:
        return f"{value * 1e6:.0f} µs"
    if value < 1:
        return f"{value * 1e3:.3g} ms"
    for unit, size in (("s", 60), ("min", 60), ("h", 48)):
        if value < size:
            return f"{value:.3g} {unit}"
        value /= size if unit != "h" else 24
    return f"{value:,.0f} d"


@pass_context
def moment(context: Context, value: str | int | None) -> str | Markup:
    """A time, as RFC 3339 text or microseconds since 1970, to the second, with the whole of it beside; without its date
    where that is the page's."""
    if value is None:
        return UNKNOWN
    text = value if isinstance(value, str) else rfc3339.format(value)
    today = text[:10] == rfc3339.format(context["as_of"])[:10]
    shown = text[11:19] if today else f"{text[:10]} {text[11:19]}"
    return Markup('<time datetime="{0}" title="{0}">{1}</time>').format(text, shown)


def clock(value: int) -> str:
    """The time of day of microseconds since 1970."""
    return rfc3339.format(value)[11:19]


def ago(value: str | None, now: int) -> str | Markup:
    """How long it is past, with the time itself beside."""
    if value is None:
        return UNKNOWN
    past = max(0.0, (now - rfc3339.parse(value)) / 1e6)
    shown = "now" if past < 1 else f"{seconds(float(round(past)))} ago"
    return Markup('<time datetime="{0}" title="{0}">{1}</time>').format(value, shown)


def as_json(value: Any, indent: int = 2) -> str:
    """JSON as people read it; a value that is too long for a page is cut."""
    text = msgspec.json.format(msgspec.json.encode(printable(value)), indent=indent).decode()
    return text if len(text) <= LONGEST_JSON else f"{text[:LONGEST_JSON]}\n… cut at {LONGEST_JSON:,} characters"


def in_line(value: Any, longest: int = LONGEST_CELL) -> str:
    """A value within a table: strings as they are, everything else as JSON in one line; cut where it is too long."""
    text = value if isinstance(value, str) else as_json(value, -1)
    return text if len(text) <= longest else f"{text[:longest]}…"


def visible(value: str) -> Markup:
    """Text of users in one line: what has no glyph is shown by name, the empty text as such."""
    if len(value) > LONGEST_NAME:
        value = f"{value[:LONGEST_NAME]}…"
    if not value:
        return Markup('<span class="unknown">(empty)</span>')
    parts = [
        Markup('<span class="hidden-sign">{}</span>').format(_sign(sign)) if not sign.isprintable() else escape(sign)
        for sign in value
    ]
    return Markup("").join(parts)


def _sign(sign: str) -> str:
    return {"\n": "↵", "\t": "⇥", "\r": "␍"}.get(sign, f"U+{ord(sign):04X}")


_templates: Final = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    auto_reload=False,
    trim_blocks=True,
    lstrip_blocks=True,
)
_templates.filters.update(
    ago=ago,
    clock=clock,
    count=count,
    in_line=in_line,
    json=as_json,
    moment=moment,
    quoted=shlex.quote,
    rate=rate,
    seconds=seconds,
    visible=visible,
)
_templates.globals.update(link=link)
