"""Secrets of targets: a targets file holds references to them, never what they are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from adapters.kind import FieldError

REFERENCE: Final = ("env:", "file:")
"""How a reference begins."""


class SecretError(Exception):
    """A reference leads to nothing that can be used. The text says why and what to do, and never quotes a secret."""


def resolve(reference: str, path: tuple[str | int, ...], secret: Callable[[str], str | None]) -> str:
    """The secret that the key at `path` refers to. Raises FieldError if there is none, or it is empty."""
    if not reference.startswith(REFERENCE):
        raise FieldError(path, "write env:NAME, the variable that holds the secret, or file:/PATH of its file")
    try:
        found = secret(reference)
    except SecretError as error:
        raise FieldError(path, str(error)) from None
    if found:
        return found
    scheme, _, name = reference.partition(":")
    if scheme == "env":
        raise FieldError(path, f"{name or 'the variable'} is not set: set it to the secret")
    raise FieldError(path, f"the file {name} is empty: write the secret into it")
