"""The target `log`: says what it was told, as a structured log line, and calls that delivered.

It always exists, and `alerts` is one too unless the targets file declares another.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import msgspec
import structlog

from adapters.kind import Kind, Surroundings
from adapters.target_file import TargetModel
from adapters.work import Outcome, Verdict, Work

_DONE = Outcome(Verdict.DONE)


class LogAdapter:
    def __init__(self) -> None:
        self._log = structlog.get_logger("adapters.log")

    async def deliver(self, work: Work) -> Outcome:
        command = msgspec.json.decode(work.body)
        self._log.info("command", target=work.target, attempt=work.attempt, **command)
        return _DONE

    async def preview(self, work: Work) -> Any:
        return msgspec.json.decode(work.body)

    async def close(self) -> None:
        """Nothing is held."""


class LogModel(TargetModel):
    kind: Literal["log"]


def _make(name: str, model: LogModel, around: Surroundings) -> Callable[[], LogAdapter]:
    return LogAdapter


KIND = Kind("log", LogModel, _make)
