"""Headers that a target adds to its requests: what they may be called, and what may stand in them."""

from __future__ import annotations

import re
from typing import Final

LONGEST: Final = 4_096
"""Characters of a value."""
MOST: Final = 32
RESERVED: Final = frozenset(
    "accept-encoding connection content-encoding content-length content-type date expect host idempotency-key"
    " keep-alive te traceparent tracestate trailer transfer-encoding upgrade".split()
)
"""Ours, or those of the connection."""
PREFIXES: Final = ("webhook-", "ce-", "proxy-")
_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")


def check_name(name: str, taken: frozenset[str] = frozenset()) -> None:
    """Raises ValueError. `taken`: names in lower case that other keys of the target set."""
    if not _NAME.fullmatch(name):
        raise ValueError("is no name of a header: letters, digits and hyphens")
    lower = name.lower()
    if lower in RESERVED or lower.startswith(PREFIXES):
        raise ValueError("is set by us, or by the connection: choose another name")
    if lower in taken:
        raise ValueError("is set by `auth`: remove one of them")


def check_value(value: str) -> None:
    """Raises ValueError, which does not quote it."""
    if found := _CONTROL.search(value):
        raise ValueError(f"holds the character U+{ord(found[0]):04X}, which cannot stand in a header")
    if len(value) > LONGEST:
        raise ValueError(f"is longer than {LONGEST:,} characters")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError("holds half of a surrogate pair, which cannot be sent") from None
