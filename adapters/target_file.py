"""What a targets file may say of every target. Each kind adds its own keys (`kind.py`). Checked by pydantic."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from adapters.alarm_board import AlarmPolicy
from adapters.breaker import BreakerPolicy
from adapters.bucket import Rate
from adapters.gates import GatePolicy
from adapters.retry import RetryPolicy
from streams import duration

LONGEST_TIMEOUT = 600.0
"""Seconds."""
MOST_AT_ONCE = 1_000
DURATION = "duration-with-unit"
"""The format of a text, for those who make a JSON Schema of a model."""
LARGEST_BATCH = 1_000
_DEFAULT = RetryPolicy()
_BREAKER = BreakerPolicy()
_ALARM = AlarmPolicy()


def seconds(value: Any) -> float:
    """From a duration as people write it. Raises ValueError."""
    if not isinstance(value, str):
        raise ValueError("write a duration with its unit, such as 500ms, 10s or 1h")
    return duration.parse(value) / 1e6


_Written = Annotated[str, Field(json_schema_extra={"format": DURATION})]
Seconds = Annotated[float, BeforeValidator(seconds, json_schema_input_type=_Written)]


class FileModel(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)


class RetryModel(FileModel):
    initial: Annotated[Seconds, Field(gt=0)] = Field(
        _DEFAULT.initial, description="The longest wait after the first attempt."
    )
    factor: Annotated[float, Field(ge=1, le=100)] = Field(
        _DEFAULT.factor, description="How much longer after each further one."
    )
    max: Annotated[Seconds, Field(gt=0)] = Field(_DEFAULT.max, description="No wait is longer.")
    attempts: Annotated[int, Field(ge=1, le=10_000)] = Field(
        _DEFAULT.attempts, description="So many, then the command is parked."
    )
    elapsed: Annotated[Seconds, Field(gt=0)] = Field(
        _DEFAULT.elapsed, description="Or when the next attempt would come later than this after the first."
    )

    @model_validator(mode="after")
    def _order(self) -> RetryModel:
        if self.max < self.initial:
            raise ValueError("`max` is shorter than `initial`: the first wait could not be that long")
        return self

    def policy(self) -> RetryPolicy:
        return RetryPolicy(self.initial, self.factor, self.max, self.attempts, self.elapsed)


class BreakerModel(FileModel):
    failures: Annotated[float, Field(gt=0, le=1)] = Field(
        _BREAKER.failures, description="It opens when this share of the attempts failed."
    )
    window: Annotated[Seconds, Field(ge=1, le=3_600)] = Field(
        _BREAKER.window, description="Over which they are counted."
    )
    minimum: Annotated[int, Field(ge=1, le=10_000)] = Field(
        _BREAKER.minimum, description="With fewer attempts in that time it does not open."
    )
    pause: Annotated[Seconds, Field(ge=0.1, le=86_400)] = Field(
        _BREAKER.pause,
        description="How long it stays open, the first time; each pause in vain is followed by one twice as long.",
    )
    longest: Annotated[Seconds, Field(ge=0.1, le=86_400)] = Field(_BREAKER.longest, description="No pause is longer.")
    probes: Annotated[int, Field(ge=1, le=1_000)] = Field(
        _BREAKER.probes, description="Attempts that must succeed afterwards until everything goes again."
    )

    @model_validator(mode="after")
    def _order(self) -> BreakerModel:
        if self.longest < self.pause:
            raise ValueError("`longest` is shorter than `pause`: the first pause could not be that long")
        return self

    def policy(self) -> BreakerPolicy:
        return BreakerPolicy(self.failures, self.window, self.minimum, self.pause, self.longest, self.probes)


class AlarmModel(FileModel):
    every: Annotated[Seconds, Field(ge=1, le=30 * 86_400)] = Field(
        _ALARM.every / 1e6, description="Between two alarms about it."
    )
    open: Annotated[Seconds, Field(ge=0, le=30 * 86_400)] = Field(
        _ALARM.open / 1e6, description="How long its breaker is open before people are told."
    )

    def policy(self) -> AlarmPolicy:
        return AlarmPolicy(int(self.every * 1e6), int(self.open * 1e6))


class RateModel(FileModel):
    limit: Annotated[int, Field(ge=1, le=1_000_000)] = Field(description="Commands that are sent.")
    per: Annotated[Seconds, Field(ge=0.1, le=86_400)] = Field(1.0, description="The time of `limit`.")
    burst: Annotated[int, Field(ge=1, le=1_000_000)] | None = Field(
        None, description="At once, after a rest; without it a tenth of the limit."
    )

    def rate(self) -> Rate:
        return Rate(self.limit, self.per, float(self.burst or max(1.0, self.limit / 10)))


class TargetModel(FileModel):
    kind: str = Field(description="What the target is.")
    timeout: Annotated[Seconds, Field(ge=0.001, le=LONGEST_TIMEOUT)] = Field(
        15.0, description="For one attempt from beginning to end. A command's own `timeout` goes before it."
    )
    concurrency: Annotated[int, Field(ge=1, le=MOST_AT_ONCE)] = Field(8, description="Attempts at once.")
    retry: RetryModel = Field(RetryModel(), description="When an attempt that failed is made again.")
    breaker: BreakerModel | Literal["off"] = Field(
        BreakerModel(), description="When nothing is sent for a while, because too much failed."
    )
    rate: RateModel | None = Field(
        None, description="How many commands are sent in a time; without it as many as can be."
    )
    alarm: AlarmModel | Literal["off"] = Field(AlarmModel(), description="When people are told of it.")
    deliver: Literal["here", "workers"] = Field(
        "here", description="Whether servers deliver, or workers that take commands over HTTP."
    )

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
