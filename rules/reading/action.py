"""`then:`: what a firing does."""

from __future__ import annotations

from typing import Final, TypedDict

from rules.diagnostics import one_of, shown
from rules.model.action import Action, CommandAction, EmitAction
from rules.model.source import Payload
from rules.reading import event_types, names
from rules.reading.payload import fields, payload
from rules.reading.reader import Reader
from rules.text.nodes import Mapping, Node, Scalar

KINDS: Final = ("command", "emit", "alert")
ORDERS: Final = ("key",)
DELIVERY: Final = ("timeout", "expires", "order", "fallback")
"""How a command is delivered; an alert is one."""
LONGEST_TIMEOUT: Final = 600 * 1_000_000
"""Microseconds. Targets have no more (docs/targets.md)."""
DEFAULT_SEVERITY: Final = "warning"


def actions(reader: Reader, node: Node, what: str = "`then`") -> tuple[Action, ...]:
    items = reader.items(node, what)
    if items == []:
        reader.error(node, "missing", f"{what} holds no action")
    found = [_action(reader, item) for item in items or []]
    return tuple(action for action in found if action is not None)


def _action(reader: Reader, node: Node) -> Action | None:
    if not isinstance(node, Mapping):
        hint = "such as `{command: NAME, to: TARGET, args: {…}}`"
        reader.error(node, "wrong-kind", "an action is a map", hint)
        return None
    kinds = [kind for kind in KINDS if kind in node.entries]
    if len(kinds) > 1:
        second = node.entries[kinds[1]][0]
        reader.error(second, "conflict", f"an action cannot be `{kinds[0]}` and `{kinds[1]}`", "make it two")
        return None
    if kinds == ["command"]:
        return _command(reader, node)
    if kinds == ["emit"]:
        return _emit(reader, node)
    if kinds == ["alert"]:
        return _alert(reader, node)
    before = reader.findings.errors
    reader.fields(node, "an action", (*KINDS, "to", "args", "subject", "data", "severity", *DELIVERY))
    if reader.findings.errors == before:
        reader.error(node, "missing", f"an action needs {one_of(KINDS)}")
    return None


def _command(reader: Reader, node: Mapping) -> Action | None:
    found = reader.fields(node, "a command", ("command", "to", "args", *DELIVERY))
    if found is None:
        return None
    command = names.plain(reader, found["command"], "`command`")
    to = None
    if "to" in found:
        to = names.plain(reader, found["to"], "`to`")
    else:
        reader.error(node.entries["command"][0], "missing", "the command goes nowhere: `to` is missing")
    args = fields(reader, found["args"], "`args`") if "args" in found else {}
    if command is None or to is None:
        return None
    return CommandAction(command, to, args, reader.span(node), reader.span(found["to"]), **_delivery(reader, found))


class _Delivery(TypedDict):
    timeout: int | None
    expires: int | None
    order: bool
    fallback: tuple[Action, ...]


def _delivery(reader: Reader, found: dict[str, Node]) -> _Delivery:
    timeout = _time(reader, found, "timeout")
    if timeout is not None and timeout > LONGEST_TIMEOUT:
        hint = "what takes longer answers at once, and sends what came of it as an event"
        reader.error(found["timeout"], "bad-duration", "`timeout` is at most 10m", hint)
    order = reader.choice(found["order"], "`order`", ORDERS) if "order" in found else None
    return {
        "timeout": timeout,
        "expires": _time(reader, found, "expires"),
        "order": order is not None,
        "fallback": actions(reader, found["fallback"], "`fallback`") if "fallback" in found else (),
    }


def _time(reader: Reader, found: dict[str, Node], name: str) -> int | None:
    """Microseconds."""
    micros = reader.duration(found[name], shown(name)) if name in found else None
    if micros == 0:
        reader.error(found[name], "bad-duration", f"{shown(name)} needs more than no time at all")
    return micros


def _emit(reader: Reader, node: Mapping) -> Action | None:
    found = reader.fields(node, "an emitted event", ("emit", "subject", "data"))
    if found is None:
        return None
    type = event_types.exact(reader, found["emit"], "`emit`", results=False)
    subject = None
    if "subject" in found:
        subject = payload(reader, found["subject"], "`subject`")
        if isinstance(subject, (dict, list)):
            reader.error(found["subject"], "wrong-kind", "`subject` needs a text")
        elif isinstance(found["subject"], Scalar) and subject is None and found["subject"].value in ("", "~", "null"):
            hint = "leave it out to keep the event's own subject"
            reader.error(found["subject"], "wrong-kind", "`subject` needs a text, not null", hint)
    data = payload(reader, found["data"], "`data`") if "data" in found else None
    return None if type is None else EmitAction(type, subject, data, reader.span(node))


def _alert(reader: Reader, node: Mapping) -> Action | None:
    found = reader.fields(node, "an alert", ("alert", "severity", *DELIVERY))
    if found is None:
        return None
    text = _words(reader, found["alert"], "`alert`")
    severity: Payload = _words(reader, found["severity"], "`severity`") if "severity" in found else DEFAULT_SEVERITY
    args = {"text": text, "severity": severity}
    return CommandAction("alert", "alerts", args, reader.span(node), **_delivery(reader, found))


def _words(reader: Reader, node: Node, what: str) -> Payload:
    """A payload that is a text."""
    value = reader.text(node, what)
    return None if value is None else payload(reader, node, what)
