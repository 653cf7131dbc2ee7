"""`rules:`: which events, under which key, on what condition, when, how often, and what then."""

from __future__ import annotations

from typing import Final, Literal, cast

from rules.diagnostics import shown
from rules.model.rule import NEVER, Deadline, Rule, Unless
from rules.model.source import Expression
from rules.model.window import AGGREGATES
from rules.reading import event_types, names
from rules.reading.action import actions
from rules.reading.by import by
from rules.reading.expression import expression
from rules.reading.reader import Reader
from rules.reading.sequence import sequence
from rules.reading.window import window
from rules.text.nodes import Mapping, Node, Scalar

KEYS: Final = (
    "description",
    "on",
    "by",
    "when",
    "let",
    "over",
    "having",
    "after",
    "unless",
    "pending",
    "sequence",
    "within",
    "settle",
    "once_within",
    "once",
    "keep",
    "priority",
    "enabled",
    "shadow",
    "then",
)
PENDING: Final = ("each", "first", "latest")

Fields = dict[str, Node]


def rule(reader: Reader, key: Scalar, node: Node, place: int) -> Rule | None:
    before = reader.findings.errors
    name = names.title(reader, key, "a rule")
    what = f"rule {shown(key.value)}"
    fields = reader.fields(node, what, KEYS)
    if fields is None:
        return None
    description = reader.text(fields["description"], "`description`") if "description" in fields else None
    on = None
    if "on" in fields:
        on = event_types.patterns(reader, fields["on"], "`on`")
    elif "sequence" not in fields:
        reader.error(key, "missing", f"{what} listens to nothing: `on` is missing")
    when = expression(reader, fields["when"], "`when`") if "when" in fields else None
    let = _let(reader, fields["let"]) if "let" in fields else ()
    deadline = _deadline(reader, fields, node)
    steps = sequence(reader, key, fields) if fields.keys() & {"sequence", "within"} else None
    over, having = window(reader, fields, _keys(node))
    listened = () if on is None else on[0]
    if deadline is not None and deadline.unless is not None:
        listened += deadline.unless.on
    if steps is not None:
        listened += tuple(type for _, each in steps.listeners for type in each.on)
    key_of = by(reader, fields["by"], listened) if "by" in fields else (None, ())
    settle = reader.duration(fields["settle"], "`settle`") if "settle" in fields else None
    if settle == 0:
        reader.error(fields["settle"], "bad-duration", "`settle` needs more than no time at all")
    once_within = _throttle(reader, fields)
    priority = reader.integer(fields["priority"], "`priority`") if "priority" in fields else 0
    enabled = reader.boolean(fields["enabled"], "`enabled`") if "enabled" in fields else True
    shadow = reader.boolean(fields["shadow"], "`shadow`") if "shadow" in fields else False
    if "then" not in fields:
        reader.error(key, "missing", f"{what} does nothing: `then` is missing")
    with reader.calling(AGGREGATES if "over" in fields else frozenset()):
        then = actions(reader, fields["then"]) if "then" in fields else ()
    if reader.findings.errors != before or name is None or (on is None and steps is None):
        return None
    assert priority is not None
    assert enabled is not None
    assert shadow is not None
    return Rule(
        name=name,
        description=description or "",
        on=() if on is None else on[0],
        by=key_of[0],
        when=when,
        let=let,
        deadline=deadline,
        settle=settle,
        once_within=once_within,
        priority=priority,
        enabled=enabled,
        shadow=shadow,
        then=then,
        place=place,
        span=reader.span(key),
        on_spans=() if on is None else on[1],
        by_types=key_of[1],
        sequence=steps,
        window=over,
        having=having,
    )


def _keys(node: Node) -> set[str]:
    return set(node.entries) if isinstance(node, Mapping) else set()


def _let(reader: Reader, node: Node) -> tuple[tuple[str, Expression], ...]:
    entries = reader.entries(node, "`let`")
    found: list[tuple[str, Expression]] = []
    for key, value in (entries or {}).values():
        name = names.variable(reader, key, "a `let` value")
        read = expression(reader, value, shown(key.value))
        if name is not None and read is not None:
            found.append((name, read))
    return tuple(found)


def _deadline(reader: Reader, fields: Fields, node: Node) -> Deadline | None:
    if "after" not in fields:
        for name in ("unless", "pending"):
            if name in fields:
                hint = "`after: 48h` says how long to wait"
                if "sequence" in fields:
                    hint = "what ends a sequence is a `- not: {on: …}` between two of its steps"
                reader.error(fields[name], "conflict", f"`{name}` needs `after`: there is nothing to wait for", hint)
        return None
    after = reader.duration(fields["after"], "`after`")
    unless = _unless(reader, fields["unless"]) if "unless" in fields else None
    pending: str | None = "each"
    if "pending" in fields:
        pending = reader.choice(fields["pending"], "`pending`", PENDING)
    if after is None or pending is None:
        return None
    return Deadline(after, unless, cast(Literal["each", "first", "latest"], pending))


def _unless(reader: Reader, node: Node) -> Unless | None:
    when: Expression | None = None
    listened: Node = node
    if isinstance(node, Mapping):
        fields = reader.fields(node, "`unless`", ("on", "when"))
        if fields is None:
            return None
        when = expression(reader, fields["when"], "`when`") if "when" in fields else None
        if "on" not in fields:
            reader.error(node, "missing", "`unless` listens to nothing: `on` is missing")
            return None
        listened = fields["on"]
    on = event_types.patterns(reader, listened, "`unless`")
    return None if on is None else Unless(on[0], when, on[1])


def _throttle(reader: Reader, fields: Fields) -> int | None:
    """Microseconds of silence."""
    within = reader.duration(fields["once_within"], "`once_within`") if "once_within" in fields else None
    if within == 0:
        reader.error(fields["once_within"], "bad-duration", "`once_within` needs more than no time at all")
    once = reader.boolean(fields["once"], "`once`") if "once" in fields else None
    keep = reader.duration(fields["keep"], "`keep`") if "keep" in fields else None
    if keep == 0:
        reader.error(fields["keep"], "bad-duration", "`keep` needs more than no time at all")
    if once is True and "once_within" in fields:
        reader.error(fields["once_within"], "conflict", "`once` and `once_within` cannot stand together")
    if "keep" in fields and once is not True:
        hint = "`keep` says how long `once: true` remembers; `once_within` alone needs none"
        reader.error(fields["keep"], "conflict", "`keep` needs `once: true`", hint)
    if once is True:
        return NEVER if keep is None else keep
    return within
