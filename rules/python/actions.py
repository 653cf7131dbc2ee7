"""What a Python rule returns. Checked when it has returned (`rules.python.results`), so making one never fails."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Command:
    """A command that the target's adapter delivers. Durations are texts such as `30s`."""

    command: str
    to: str
    args: Mapping[str, Any] = field(default_factory=dict)
    timeout: str | None = None
    expires: str | None = None
    order: Literal["key"] | None = None
    fallback: Sequence[Action] = ()
    """Done when the command is parked or expires."""


@dataclass(frozen=True, slots=True)
class Emit:
    """A derived event; without `subject` it keeps the event's."""

    type: str
    data: Any = None
    subject: str | None = None


@dataclass(frozen=True, slots=True)
class Alert:
    """A command `alert` to the target `alerts`."""

    text: str
    severity: str = "warning"


Action = Command | Emit | Alert
