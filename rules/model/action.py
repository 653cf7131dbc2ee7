"""What a firing does. `alert: TEXT` is read as a command `alert` to the target `alerts`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from rules import cel
from rules.model.source import Payload, Span, TemplateText


@dataclass(frozen=True, slots=True)
class CommandAction:
    command: str
    to: str
    args: dict[str, Payload]
    span: Span
    to_span: Span | None = None
    """Of the target's name, where the file names it."""
    timeout: int | None = None
    """Microseconds that one attempt may take; None: as the target says."""
    expires: int | None = None
    """Microseconds after the firing time until it must have succeeded."""
    order: bool = False
    """Those of one key and target are delivered one after the other."""
    fallback: tuple[Action, ...] = ()
    """What is done when it is parked or expires; rendered at firing."""


@dataclass(frozen=True, slots=True)
class EmitAction:
    type: str
    subject: Payload
    """None: the event's own."""
    data: Payload
    span: Span


Action = CommandAction | EmitAction


def every(actions: Iterable[Action]) -> Iterator[Action]:
    """These, and those of their fallbacks."""
    for action in actions:
        yield action
        if isinstance(action, CommandAction):
            yield from every(action.fallback)


def templates(action: Action) -> Iterator[cel.Template]:
    """The payload strings of an action, and of its fallbacks, that hold expressions."""
    payloads: list[Payload] = []
    for each in every((action,)):
        payloads += list(each.args.values()) if isinstance(each, CommandAction) else [each.subject, each.data]
    while payloads:
        payload = payloads.pop()
        if isinstance(payload, TemplateText):
            yield payload.template
        elif isinstance(payload, dict):
            payloads += payload.values()
        elif isinstance(payload, list):
            payloads += payload
