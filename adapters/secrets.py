"""Secrets of targets: a targets file holds references to them, never what they are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from adapters.kind import FieldError

REFERENCE: Final = ("env:",)
"""How a reference begins."""


def resolve(reference: str, path: tuple[str | int, ...], secret: Callable[[str], str | None]) -> str:
    """The secret that the key at `path` refers to. Raises FieldError if there is none, or it is empty."""
    if not reference.startswith(REFERENCE):
        raise FieldError(path, "write env:NAME, the variable that holds the secret")
    if found := secret(reference):
        return found
    variable = reference.removeprefix("env:")
    raise FieldError(path, f"{variable or 'the variable'} is not set: set it to the secret")
