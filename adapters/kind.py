"""A kind of target: what a targets file says of one, and how its adapter is made of that.

The kinds that come with the house and those of others, found by entry point (`kinds.py`), are the same to all who use
them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from adapters.adapter import Adapter
from adapters.redact import Redactor
from adapters.target_file import TargetModel


class FieldError(ValueError):
    """What a target's file says cannot be used: `path` are the keys inside the target, the text says what and what to
    do. Never quotes a secret."""

    def __init__(self, path: tuple[str | int, ...], message: str) -> None:
        super().__init__(message)
        self.path = path


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What an adapter may have of the outside."""

    now: Callable[[], int]
    """The wall clock in microseconds."""
    secret: Callable[[str], str | None] = field(repr=False)
    """From a reference, such as `env:NAME`, to the secret; None if there is none. What was asked for is kept out of
    outcomes and errors."""
    redactor: Redactor = field(default_factory=Redactor, repr=False)
    """The target's own; to be told of secrets that come by another way."""
    imports: frozenset[str] = frozenset()
    """What a targets file may import (`imports.py`)."""


@dataclass(frozen=True, slots=True)
class Kind:
    name: str
    model: type[TargetModel]
    """What the file may say of a target of this kind; checked before `make` is called."""
    make: Callable[[str, Any, Surroundings], Callable[[], Adapter] | None]
    """From (name of the target, an instance of `model`, surroundings) to what makes the adapter in the event loop that
    will use it; None where only workers elsewhere deliver. Checks all that can be known without the network. Raises
    FieldError."""
