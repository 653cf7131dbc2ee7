"""What a targets file may say of every target. Each kind adds its own keys (`kind.py`). Checked by pydantic."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from adapters.alarms import AlarmPolicy
from adapters.breaker import BreakerPolicy
from adapters.bucket import Rate
from adapters.gates import GatePolicy
from adapters.retry import RetryPolicy
from streams import duration

LONGEST_TIMEOUT = 600.0
"""Seconds."""
MOST_AT_ONCE = 1_000
LARGEST_BATCH = 1_000
_DEFAULT = RetryPolicy()
_BREAKER = BreakerPolicy()
_ALARM = AlarmPolicy()


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


class BreakerModel(FileModel):
    failures: Annotated[float, Field(gt=0, le=1)] = _BREAKER.failures
    window: Annotated[Seconds, Field(ge=1, le=3_600)] = _BREAKER.window
    minimum: Annotated[int, Field(ge=1, le=10_000)] = _BREAKER.minimum
    pause: Annotated[Seconds, Field(ge=0.1, le=86_400)] = _BREAKER.pause
    longest: Annotated[Seconds, Field(ge=0.1, le=86_400)] = _BREAKER.longest
    probes: Annotated[int, Field(ge=1, le=1_000)] = _BREAKER.probes

    @model_validator(mode="after")
    def _order(self) -> BreakerModel:
        if self.longest < self.pause:
            raise ValueError("`longest` is shorter than `pause`: the first pause could not be that long")
        return self

    def policy(self) -> BreakerPolicy:
        return BreakerPolicy(self.failures, self.window, self.minimum, self.pause, self.longest, self.probes)


class AlarmModel(FileModel):
    every: Annotated[Seconds, Field(ge=1, le=30 * 86_400)] = _ALARM.every / 1e6
    open: Annotated[Seconds, Field(ge=0, le=30 * 86_400)] = _ALARM.open / 1e6

    def policy(self) -> AlarmPolicy:
        return AlarmPolicy(int(self.every * 1e6), int(self.open * 1e6))


class RateModel(FileModel):
    limit: Annotated[int, Field(ge=1, le=1_000_000)]
    per: Annotated[Seconds, Field(ge=0.1, le=86_400)] = 1.0
    burst: Annotated[int, Field(ge=1, le=1_000_000)] | None = None

    def rate(self) -> Rate:
        return Rate(self.limit, self.per, float(self.burst or max(1.0, self.limit / 10)))


class TargetModel(FileModel):
    kind: str
    timeout: Annotated[Seconds, Field(ge=0.001, le=LONGEST_TIMEOUT)] = 15.0
    concurrency: Annotated[int, Field(ge=1, le=MOST_AT_ONCE)] = 8
    retry: RetryModel = RetryModel()
    breaker: BreakerModel | Literal["off"] = BreakerModel()
    rate: RateModel | None = None
    alarm: AlarmModel | Literal["off"] = AlarmModel()
    deliver: Literal["here", "workers"] = "here"
    """Whether servers deliver, or workers that take commands over HTTP."""

    def gate(self) -> GatePolicy:
        return GatePolicy(
            self.breaker.policy() if isinstance(self.breaker, BreakerModel) else None,
            self.rate.rate() if self.rate is not None else None,
        )


class LeftModel(TargetModel):
    """Of a target that is left to workers by who does not know its kind: only what every target has."""

    model_config = ConfigDict(extra="ignore")


class BatchModel(TargetModel):
    """Of a kind whose adapter is a `BatchAdapter`."""

    batch: Annotated[int, Field(ge=1, le=LARGEST_BATCH)] = Field(
        1, description="Commands in one request, at most; of those that wait, none waits for others."
    )
