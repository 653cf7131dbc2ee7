"""`over` and `having`: which events a rule looks at together, and when they are enough."""

from __future__ import annotations

from typing import Final

from rules.diagnostics import one_of, shown
from rules.model.source import Expression
from rules.model.window import AGGREGATES, LARGEST, MOST, Last, Session, Sliding, Stepped, Tumbling, Window
from rules.reading.expression import expression
from rules.reading.reader import Reader
from rules.text.nodes import Mapping, Node, Scalar

KINDS: Final = ("sliding", "last", "tumbling", "session")
MOST_BUCKETS: Final = 10_000
_FORMS: Final = "write `over: 10m`, `{last: 100}`, `{sliding: 24h, step: 15m}`, `{tumbling: 1h}` or `{session: 30m}`"


def window(reader: Reader, fields: dict[str, Node], said: set[str]) -> tuple[Window | None, Expression | None]:
    """`said` are the keys of the rule."""
    if "over" not in fields:
        if "having" in fields and "sequence" not in said:
            hint = "`over: 10m` says which events are looked at; a condition on the event alone is `when`"
            reader.error(fields["having"], "conflict", "`having` needs `over`: there is no window to look at", hint)
        return None, None
    for name in ("after", "sequence"):
        if name in said:
            hint = "make it two rules: the one can `emit` an event that the other listens to"
            reader.error(fields["over"], "conflict", f"`over` and `{name}` cannot stand together", hint)
    having = None
    if "having" in fields:
        with reader.calling(AGGREGATES):
            having = expression(reader, fields["having"], "`having`")
    return _over(reader, fields["over"]), having


def _over(reader: Reader, node: Node) -> Window | None:
    if isinstance(node, Scalar):
        if node.value.isdigit() and node.value.isascii():
            number = node.value[:12]
            hint = f"the last {number} events are `over: {{last: {number}}}`, ten minutes are `over: 10m`"
            reader.error(node, "bad-duration", f"`over` needs a duration, not {shown(node.value)}", hint)
            return None
        span = _time(reader, node, "`over`")
        return None if span is None else Sliding(span)
    if not isinstance(node, Mapping):
        reader.error(node, "wrong-kind", "`over` needs a duration or a map, not a list", _FORMS)
        return None
    kinds = [kind for kind in KINDS if kind in node.entries]
    if len(kinds) > 1:
        second = node.entries[kinds[1]][0]
        reader.error(second, "conflict", f"a window cannot be `{kinds[0]}` and `{kinds[1]}`", "make it two rules")
        return None
    if not kinds:
        before = reader.findings.errors
        reader.fields(node, "`over`", (*KINDS, "step", "limit"))
        if reader.findings.errors == before:
            reader.error(node, "missing", f"a window needs {one_of(KINDS)}", _FORMS)
        return None
    return _of_kind(reader, node, kinds[0])


def _of_kind(reader: Reader, node: Mapping, kind: str) -> Window | None:
    before = reader.findings.errors
    for extra, kinds in (("step", ("sliding",)), ("limit", ("sliding", "tumbling", "session"))):
        if extra in node.entries and kind not in kinds:
            hint = "`{sliding: 24h, step: 15m}` keeps one bucket a step" if extra == "step" else "`last` is the limit"
            reader.error(node.entries[extra][0], "conflict", f"a window by `{kind}` has no `{extra}`", hint)
    fields = reader.fields(node, "`over`", (kind, "step", "limit"))
    if fields is None or reader.findings.errors != before:
        return None
    if kind == "last":
        count = _count(reader, fields["last"], "`last`")
        return None if count is None else Last(count)
    size = _time(reader, fields[kind], f"`{kind}`")
    limit = _count(reader, fields["limit"], "`limit`") if "limit" in fields else MOST
    step = _time(reader, fields["step"], "`step`") if "step" in fields else None
    if size is None or limit is None or reader.findings.errors != before:
        return None
    if kind == "tumbling":
        return Tumbling(size, limit)
    if kind == "session":
        return Session(size, limit)
    if step is None:
        return Sliding(size, limit)
    if step > size:
        hint = "events of one step at a time are `{tumbling: …}`"
        reader.error(fields["step"], "bad-duration", "`step` is longer than the window", hint)
        return None
    if size // step > MOST_BUCKETS:
        message = f"the window has {size // step:,} steps, and {MOST_BUCKETS:,} are the most"
        reader.error(fields["step"], "bad-duration", message, "make `step` longer")
        return None
    return Stepped(size, step, limit)


def _time(reader: Reader, node: Node, what: str) -> int | None:
    micros = reader.duration(node, what)
    if micros == 0:
        reader.error(node, "bad-duration", f"{what} needs more than no time at all")
        return None
    return micros


def _count(reader: Reader, node: Node, what: str) -> int | None:
    count = reader.integer(node, what)
    if count is not None and not 1 <= count <= LARGEST:
        reader.error(node, "wrong-kind", f"{what} needs a whole number from 1 to {LARGEST:,}, not {count}")
        return None
    return count
