"""What a targets file may say of every target. Each kind adds its own keys (`kind.py`). Checked by pydantic."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from adapters.retry import RetryPolicy
from streams import duration

LONGEST_TIMEOUT = 600.0
"""Seconds."""
MOST_AT_ONCE = 1_000
LARGEST_BATCH = 1_000
_DEFAULT = RetryPolicy()


def _seconds(value: Any) -> float:
    if not isinstance(value, str):
        raise ValueError("write a duration with its unit, such as 500ms, 10s or 1h")
    return duration.parse(value) / 1e6


Seconds = Annotated[float, BeforeValidator(_seconds)]


class FileModel(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)


class RetryModel(FileModel):
    initial: Annotated[Seconds, Field(gt=0)] = _DEFAULT.initial
    factor: Annotated[float, Field(ge=1, le=100)] = _DEFAULT.factor
    max: Annotated[Seconds, Field(gt=0)] = _DEFAULT.max
    attempts: Annotated[int, Field(ge=1, le=10_000)] = _DEFAULT.attempts
    elapsed: Annotated[Seconds, Field(gt=0)] = _DEFAULT.elapsed

    @model_validator(mode="after")
    def _order(self) -> RetryModel:
        if self.max < self.initial:
            raise ValueError("`max` is shorter than `initial`: the first wait could not be that long")
        return self

    def policy(self) -> RetryPolicy:
        return RetryPolicy(self.initial, self.factor, self.max, self.attempts, self.elapsed)


class TargetModel(FileModel):
    kind: str
    timeout: Annotated[Seconds, Field(ge=0.001, le=LONGEST_TIMEOUT)] = 15.0
    concurrency: Annotated[int, Field(ge=1, le=MOST_AT_ONCE)] = 8
    retry: RetryModel = RetryModel()
    deliver: Literal["here", "workers"] = "here"
    """Whether servers deliver, or workers that take commands over HTTP."""


class BatchModel(TargetModel):
    """Of a kind whose adapter is a `BatchAdapter`."""

    batch: Annotated[int, Field(ge=1, le=LARGEST_BATCH)] = Field(
        1, description="Commands in one request, at most; of those that wait, none waits for others."
    )
