"""Names of members that deliver: who it is, where siblings reach it, and a secret that whoever reads the log knows.

The secret keeps others away from the port at which siblings are answered, and tells a process from one that has its
port now.
"""

from __future__ import annotations

import secrets
from typing import NamedTuple


class Name(NamedTuple):
    member: str
    """The whole name, as the log has it."""
    url: str
    """Where siblings ask it; ends with the secret."""


def make(member: str, url: str) -> Name:
    """`url`: where this process listens for siblings."""
    return read(f"{member}@{url.removeprefix('http://')}/{secrets.token_hex(16)}")


def read(member: str) -> Name:
    """`url` is empty for a member that nobody can ask."""
    _, at, address = member.rpartition("@")
    return Name(member, f"http://{address}" if at else "")
