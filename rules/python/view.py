"""The event as a Python rule sees it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Event:
    """`data` and `extensions` are copies of the rule's own: changing them changes nothing else."""

    id: str
    source: str
    type: str
    subject: str
    time: datetime
    data: Any
    key: str
    """What `by` gave; the subject where the rule has none."""
    extensions: Mapping[str, str | int | bool]
