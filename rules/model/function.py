"""The function behind a Python rule, and the state that it declares."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

StateKind = Literal["int", "float", "str", "bool", "list", "dict"]


@dataclass(frozen=True, slots=True)
class StateField:
    name: str
    kind: StateKind
    default: Any
    """What it is for a key of which nothing is known."""


@dataclass(frozen=True, slots=True)
class Function:
    module: str
    """The file's name."""
    module_hash: str
    line: int
    state: tuple[StateField, ...]
    max_state: int
    """Bytes of the state of one key, encoded."""
    version: int
    """Another one begins with empty state."""
    call: Callable[..., Any] = field(compare=False, repr=False)
    """`(event, state, now)` → actions or None."""
