"""What a target sends to, as the tests see it: a real server, in a thread or process of its own.

Each test opens an event loop of its own, so nothing here may depend on one.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import pytest


class OtherEnd(ABC):
    """New for each test. What it cannot do is left out: the tests that need it are skipped, and say so."""

    secrets: Mapping[str, str] = MappingProxyType({})
    """By reference, as the target names them: `{"env:MAIL_PASSWORD": "…"}`."""
    imports: frozenset[str] = frozenset()
    """What the targets file may import (ORCHESTRATOR_ALLOW_IMPORTS)."""
    flood: int = 200
    """Commands at once; fewer, where each takes long."""

    @abstractmethod
    def target(self) -> dict[str, Any]:
        """What a targets file says of a target that sends here, `kind` included. The tests add `timeout`,
        `concurrency` and `batch`."""

    @abstractmethod
    def received(self) -> list[str]:
        """The id of the command, once for each time that one arrived, whether it was answered or not. Where an id
        that comes again changes nothing, once for all."""

    def args(self, number: int) -> dict[str, Any]:
        """Of the command with this number."""
        return {"number": number}

    def delay(self, seconds: float) -> None:
        """Answers so much later from now on. Attempts that nobody waits for any more do not hold up others."""
        pytest.skip(f"{type(self).__name__} cannot be slow: it has no `delay`")

    def refuse(self, refusing: bool) -> None:
        """Whether every command is answered with an error that shows what was sent, secrets too."""
        pytest.skip(f"{type(self).__name__} cannot refuse: it has no `refuse`")

    def vanish(self) -> None:
        """Nobody answers any more: the address refuses connections."""
        pytest.skip(f"{type(self).__name__} cannot vanish: it has no `vanish`")
