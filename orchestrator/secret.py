"""From the reference in a targets file to the secret: a variable of the environment, or a file, as Kubernetes mounts
them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from adapters.secrets import SecretError

LARGEST: Final = 64 * 1024
"""Bytes of a file."""


def read_secret(reference: str) -> str | None:
    """None for a variable that is not set. Raises SecretError."""
    scheme, _, name = reference.partition(":")
    if scheme == "env":
        return os.environ.get(name)
    assert scheme == "file", reference
    return _from_file(Path(name))


def _from_file(path: Path) -> str:
    """Without the one newline that editors leave at the end."""
    if not path.is_absolute():
        raise SecretError("write the whole path of the file, from the root: file:/run/secrets/NAME")
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
    except OSError as error:
        raise SecretError(
            f"the file {path} cannot be read ({error.strerror or error}): mount it, and let this user read it"
        ) from None
    if len(content) > LARGEST:
        raise SecretError(f"the file {path} is longer than {LARGEST:,} bytes: that is no secret; name another file")
    try:
        text = content.decode()
    except UnicodeDecodeError:
        raise SecretError(f"the file {path} is not UTF-8: write the secret as text, such as base64") from None
    return text.removesuffix("\n").removesuffix("\r")
