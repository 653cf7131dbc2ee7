"""What a firing does. `alert: TEXT` is read as a command `alert` to the target `alerts`."""

from __future__ import annotations

from dataclasses import dataclass

from rules.model.source import Payload, Span


@dataclass(frozen=True, slots=True)
class CommandAction:
    command: str
    to: str
    args: dict[str, Payload]
    span: Span
    to_span: Span | None = None
    """Of the target's name, where the file names it."""


@dataclass(frozen=True, slots=True)
class EmitAction:
    type: str
    subject: Payload
    """None: the event's own."""
    data: Payload
    span: Span


Action = CommandAction | EmitAction
