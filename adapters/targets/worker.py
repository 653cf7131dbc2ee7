"""The target kind `worker`: nothing of ours delivers; workers in any language take its commands over HTTP."""

from __future__ import annotations

from typing import Literal

from adapters.kind import Kind, Surroundings
from adapters.target_file import TargetModel


class WorkerModel(TargetModel):
    kind: Literal["worker"]


def _make(name: str, model: WorkerModel, around: Surroundings) -> None:
    """There is none."""


KIND = Kind("worker", WorkerModel, _make)
