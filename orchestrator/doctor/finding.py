"""What a check found."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal, NamedTuple

from orchestrator.settings import Settings


class Finding(NamedTuple):
    what: str
    """What was looked at, a word or two."""
    verdict: Literal["ok", "warn", "fail"]
    """`fail`: a server does not start, or soon does not work."""
    said: str
    remedy: str = ""
    """What to do; "" where nothing is to be done."""


Check = Callable[[Settings], Iterator[Finding]]
