"""`sequence` and `within`: named steps, each with the types that it takes, and `not` between them."""

from __future__ import annotations

from rules.diagnostics import shown
from rules.model.sequence import Not, Sequence, Step
from rules.reading import event_types, names
from rules.reading.expression import expression
from rules.reading.reader import Reader
from rules.text.nodes import Mapping, Node, Scalar

NOT = "not"
_FORM = "a step is its name, and what it takes: `- failed: {on: login.failed}`"


def sequence(reader: Reader, key: Scalar, fields: dict[str, Node]) -> Sequence | None:
    """Of the rule named `key`, with `sequence` or `within` among its fields."""
    if "sequence" not in fields:
        hint = "`after` waits for a time alone; `within` says how long a sequence may take"
        reader.error(fields["within"], "conflict", "`within` needs `sequence`: there is nothing to wait for", hint)
        return None
    _alone(reader, fields)
    within = None
    if "within" in fields:
        within = reader.duration(fields["within"], "`within`")
    else:
        hint = "`within: 10m` says how long after the first event the last one may come"
        reader.error(key, "missing", f"rule {shown(key.value)} would wait for ever: `within` is missing", hint)
    steps = _steps(reader, fields)
    return None if steps is None or within is None else Sequence(steps, within)


def _alone(reader: Reader, fields: dict[str, Node]) -> None:
    if "on" in fields:
        hint = "each step has its own `on`"
        reader.error(fields["on"], "conflict", "`on` and `sequence` cannot stand together", hint)
    if "after" in fields:
        hint = "`emit` an event when the sequence is complete, and let another rule wait after that"
        reader.error(fields["after"], "conflict", "`after` and `sequence` cannot stand together", hint)


def _steps(reader: Reader, fields: dict[str, Node]) -> tuple[Step, ...] | None:
    node = fields["sequence"]
    before = reader.findings.errors
    items = reader.items(node, "`sequence`", _FORM if isinstance(node, Mapping) else None)
    if items is None:
        return None
    lets = fields["let"].entries if "let" in fields and isinstance(fields["let"], Mapping) else {}
    taken: set[str] = set()
    steps: list[Step] = []
    nots: list[Not] = []
    for place, item in enumerate(items):
        entry = _entry(reader, item)
        if entry is None:
            continue
        key, value = entry
        if key.value == NOT:
            if place in (0, len(items) - 1):
                _misplaced(reader, key, first=place == 0)
            ended = _not(reader, value)
            if ended is not None:
                nots.append(ended)
            continue
        step = _step(reader, key, value, tuple(nots))
        nots = []
        if key.value in taken:
            reader.error(key, "twice", f"two steps have the name {shown(key.value)}", "each step needs its own name")
        elif key.value in lets:
            message = f"a step and a `let` value have the name {shown(key.value)}"
            reader.error(key, "twice", message, "give one of them another name")
        taken.add(key.value)
        if step is not None:
            steps.append(step)
    if reader.findings.errors == before and sum(step.times for step in steps) < 2:
        hint = "`on` and `when` fire at each event; `times: 3` waits for three of them"
        reader.error(node, "wrong-kind", "`sequence` needs two events or more", hint)
    return tuple(steps) if reader.findings.errors == before else None


def _entry(reader: Reader, item: Node) -> tuple[Scalar, Node] | None:
    if isinstance(item, Mapping) and len(item.entries) == 1:
        ((key, value),) = item.entries.values()
        return key, value
    reader.error(item, "wrong-kind", "a step of `sequence` needs a map of one name", _FORM)
    return None


def _misplaced(reader: Reader, key: Scalar, first: bool) -> None:
    if first:
        hint = "what must not have been before is a matter for `when`, with a projection that remembers it"
        reader.error(key, "misplaced", "`not` cannot be first: it stands between two steps", hint)
        return
    hint = "`after: 10m` with `unless` fires when something did not come"
    reader.error(key, "misplaced", "`not` cannot be last: it stands between two steps", hint)


def _not(reader: Reader, node: Node) -> Not | None:
    if not isinstance(node, Mapping):
        reader.error(node, "wrong-kind", "`not` needs a map", _form(NOT, node))
        return None
    fields = reader.fields(node, "`not`", ("on", "when"))
    if fields is None:
        return None
    when = expression(reader, fields["when"], "`when`") if "when" in fields else None
    if "on" not in fields:
        reader.error(node, "missing", "`not` listens to nothing: `on` is missing")
        return None
    on = event_types.patterns(reader, fields["on"], "`on`")
    return None if on is None else Not(on[0], when, on[1])


def _form(name: str, node: Node) -> str:
    return f"write {shown(f'{name}: {{on: {node.value}}}')}" if isinstance(node, Scalar) and node.value else _FORM


def _step(reader: Reader, key: Scalar, node: Node, nots: tuple[Not, ...]) -> Step | None:
    name = names.variable(reader, key, "a step")
    what = f"step {shown(key.value)}"
    if not isinstance(node, Mapping):
        reader.error(node, "wrong-kind", f"{what} needs a map", _form(key.value, node))
        return None
    fields = reader.fields(node, what, ("on", "when", "times"))
    if fields is None:
        return None
    when = expression(reader, fields["when"], "`when`") if "when" in fields else None
    times = reader.integer(fields["times"], "`times`") if "times" in fields else 1
    if times is not None and times < 1:
        reader.error(fields["times"], "wrong-kind", "`times` needs 1 or more")
    if "on" not in fields:
        reader.error(key, "missing", f"{what} listens to nothing: `on` is missing")
        return None
    on = event_types.patterns(reader, fields["on"], "`on`")
    if name is None or on is None or times is None:
        return None
    return Step(name, on[0], when, times, nots, reader.span(key), on[1])
