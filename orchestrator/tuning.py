"""The settings of pools, caches and batches that the operators' guide names, and what each does here.

Some of them speak of what this design does not have, or of what a later version brings. They are accepted, so that the
guide's configuration can be used as it is, and a server says of each that is set why it changes nothing (`notices`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings

from orchestrator.setting_kinds import Seconds


class Tuning(BaseSettings):
    pool_min: int = Field(
        10, ge=0, validation_alias="ORCHESTRATOR_POOL_MIN", description="Connections to a target that are kept open."
    )
    pool_max: int = Field(
        100,
        ge=1,
        le=1_000,
        validation_alias="ORCHESTRATOR_POOL_MAX",
        description="Connections to one target at most: a larger `concurrency` in the targets file is refused.",
    )
    timeout: Seconds = Field(
        30.0,
        ge=0.1,
        le=600,
        validation_alias="ORCHESTRATOR_TIMEOUT",
        description="How long a call to Redis lasts at most, repetitions included. `?timeout=` of its URL wins.",
    )
    retry_attempts: int = Field(
        3,
        ge=1,
        le=100,
        validation_alias="ORCHESTRATOR_RETRY_ATTEMPTS",
        description="A Redis that gives no answer within this part of ORCHESTRATOR_TIMEOUT counts as gone.",
    )
    retry_delay: Seconds = Field(
        1.0,
        ge=0.01,
        le=60,
        validation_alias="ORCHESTRATOR_RETRY_DELAY",
        description="The longest pause between two attempts of a call to Redis. Pauses begin short, and are random.",
    )
    redis_pool: int = Field(
        200,
        ge=1,
        le=10_000,
        validation_alias="ORCHESTRATOR_REDIS_POOL",
        description="Connections to one Redis server at most. `?pool=` of its URL wins.",
    )
    health_check: Seconds = Field(
        30.0,
        ge=1,
        le=86_400,
        validation_alias="HEALTH_CHECK_INTERVAL",
        description="A connection to Redis that lay unused for so long is asked whether it lives before it is used.",
    )
    rule_cache: Seconds = Field(
        300.0,
        ge=0,
        validation_alias="RULE_CACHE_TTL",
        description="How long a compiled rule set is kept that no partition asks for. Sets in use stay.",
    )
    framework_cache: Seconds = Field(
        60.0,
        ge=0,
        validation_alias="ORCHESTRATOR_FRAMEWORK_CACHE_TTL",
        description="How long a worker elsewhere is shown after it was heard of last.",
    )
    result_cache: Seconds = Field(
        30.0, ge=0, validation_alias="ORCHESTRATOR_RESULT_CACHE_TTL", description="How long results are kept at hand."
    )
    cache_size: int = Field(
        10_000, ge=1, validation_alias="ORCHESTRATOR_CACHE_SIZE", description="Entries of a cache at most."
    )
    batch: int = Field(
        100,
        ge=1,
        le=5000,
        validation_alias="EVENT_BUS_BATCH_SIZE",
        description="Events of one page. Under backlog a commit spans up to 50 pages, 5,000 events at most.",
    )
    batch_timeout: Seconds = Field(
        1.0,
        ge=0,
        le=60,
        validation_alias="ORCHESTRATOR_BATCH_TIMEOUT",
        description="How long an event waits at most for others to share its commit. More than 10ms it never does.",
    )
    rule_batch: int = Field(
        50, ge=1, validation_alias="ORCHESTRATOR_RULE_BATCH_SIZE", description="Rules that are evaluated together."
    )
    command_batch: int = Field(
        25,
        ge=1,
        le=1_000,
        validation_alias="ORCHESTRATOR_COMMAND_BATCH_SIZE",
        description="Commands that a partition hands out for a target at once, where so many are asked for.",
    )
    framework: str | None = Field(
        None,
        validation_alias="FRAMEWORK",
        description="The kind of the targets that `orchestrator worker` serves: webhook, langchain, temporal.",
    )
    langchain_api_key: SecretStr | None = Field(
        None,
        validation_alias="LANGCHAIN_API_KEY",
        description="The key of models, where a target of kind langchain names none.",
    )

    @model_validator(mode="after")
    def _pool(self) -> Tuning:
        if self.pool_min > self.pool_max:
            raise ValueError(
                f"ORCHESTRATOR_POOL_MIN={self.pool_min}: more than ORCHESTRATOR_POOL_MAX={self.pool_max}; choose less"
            )
        return self


WITHOUT_EFFECT: Final[Mapping[str, str]] = {
    "pool_min": "connections to targets are opened when they are needed and used again; none is kept open unused, "
    "because targets close it after a few seconds, and what was sent on it then would count as a failed attempt",
    "result_cache": "results are events in the log and stand in the query tables for good: a copy for a while would "
    "only be older",
    "cache_size": "caches are bounded in bytes, because keys differ in size: ORCHESTRATOR_CACHE_BYTES",
    "rule_batch": "the rules of an event type are compiled to one function: all are evaluated together, however many",
}
"""By field. What each would do, and why it does not."""
ON_SERVERS: Final = ("timeout", "retry_attempts", "retry_delay", "redis_pool", "health_check")
EMBEDDED: Final = "the embedded log is a file of this process: there is no connection"
REFUSED: Final[Mapping[str, str]] = {
    "framework": "this server would evaluate instead of serving a framework: start `orchestrator worker` with it, or "
    "leave it out",
}


def notices(settings: Tuning, embedded: bool) -> list[str]:
    """Of the settings that were set and change nothing, one line each."""
    reasons = {**WITHOUT_EFFECT, **(dict.fromkeys(ON_SERVERS, EMBEDDED) if embedded else {})}
    return [
        f"{type(settings).model_fields[name].validation_alias} has no effect: {reason}"
        for name, reason in reasons.items()
        if name in settings.model_fields_set
    ]


def refusals(settings: Tuning) -> list[str]:
    """Of the settings with which no server can be started, one line each."""
    return [
        f"{type(settings).model_fields[name].validation_alias}={getattr(settings, name)}: {reason}"
        for name, reason in REFUSED.items()
        if getattr(settings, name) is not None
    ]
