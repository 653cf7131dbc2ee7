"""Settings: read once at start from flags and the environment, and the only place that reads either.

Each has an environment variable, a default and a line of documentation; a flag beats its variable. What is wrong is
refused at start with name, value and remedy (`SettingsError`). The rest of the program is handed this frozen object, or
frozen options made from it.
"""

from __future__ import annotations

import ipaddress
import os
import re
import time
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import NoDecode, SettingsConfigDict

from orchestrator.refusals import remedy
from orchestrator.setting_kinds import Paths, Seconds, lower, words
from orchestrator.tuning import Tuning
from streams import rfc3339
from streams.backends.redis.url import RedisOptions
from streams.keys import SLICES

LogLevel = Literal["debug", "info", "warning", "error"]
Role = Literal["api", "agent", "delivery"]
ROLES: Final[tuple[Role, ...]] = ("api", "agent", "delivery")


class SettingsError(Exception):
    """A setting cannot be used; the text names it, its value and the remedy, one line a setting."""


class Settings(Tuning):
    model_config = SettingsConfigDict(frozen=True, extra="forbid", populate_by_name=True, env_ignore_empty=True)

    log: str = Field(
        "sqlite:///.orchestrator/log.db",
        validation_alias="ORCHESTRATOR_LOG",
        description="The log: memory://, sqlite:///path/to/log.db or redis://host:6379.",
    )
    redis_url: str | None = Field(
        None,
        validation_alias="REDIS_URL",
        description="A Redis that is the log, unless ORCHESTRATOR_LOG names another.",
    )
    rules: Paths = Field((), validation_alias="ORCHESTRATOR_RULES", description="Rule files or folders.")
    python_rules: Paths = Field(
        (),
        validation_alias="ORCHESTRATOR_PYTHON_RULES",
        description="Files of Python rules. Their code is run: name only what you trust.",
    )
    python_rules_old: Paths = Field(
        (),
        validation_alias="ORCHESTRATOR_PYTHON_RULES_OLD",
        description="Python rules as they once were, for replays of what they decided.",
    )
    targets: Path | None = Field(None, validation_alias="ORCHESTRATOR_TARGETS", description="The targets file.")
    imports: Annotated[tuple[str, ...], NoDecode, BeforeValidator(words)] = Field(
        (),
        validation_alias="ORCHESTRATOR_ALLOW_IMPORTS",
        description="What a targets file may import, separated by commas: `module:name`, or `module` for all of "
        "it. Its code is run: name only what you trust.",
    )
    host: str = Field("127.0.0.1", validation_alias="ORCHESTRATOR_HOST", description="Address of the HTTP API.")
    port: int = Field(
        8000, ge=0, le=65535, validation_alias="ORCHESTRATOR_PORT", description="Port of the HTTP API; 0 picks one."
    )
    siblings_host: str = Field(
        "127.0.0.1",
        min_length=1,
        validation_alias="ORCHESTRATOR_SIBLINGS_HOST",
        description="Address at which other servers of the same log reach this one, to hand on what workers ask and "
        "say; on several machines, that of this machine in their network.",
    )
    metrics_port: int = Field(
        9090, ge=0, le=65535, validation_alias="METRICS_PORT", description="Port of the metrics; 0 picks one."
    )
    url: str = Field(
        "http://127.0.0.1:8000",
        validation_alias="ORCHESTRATOR_URL",
        description="Where commands that talk to a server, and workers, find it.",
    )
    partitions: int | None = Field(
        None,
        ge=1,
        le=SLICES,
        validation_alias="ORCHESTRATOR_PARTITIONS",
        description="Partitions of a new log, by default 8; of an existing one, the number it must have.",
    )
    lease: Seconds = Field(
        10.0,
        ge=0.5,
        le=3600,
        validation_alias="ORCHESTRATOR_LEASE",
        description="How long a partition stays owned without a sign of life.",
    )
    commands_kept: Seconds = Field(
        0.0,
        ge=0,
        validation_alias="ORCHESTRATOR_COMMANDS_KEPT",
        description="How long commands that are done, cancelled, expired or in shadow stay in the ledger and in lists. "
        "0: for good. A decision that is made again after that time is delivered again.",
    )
    disarmed: str | None = Field(
        None,
        validation_alias="ORCHESTRATOR_DISARMED",
        description="After a restore: nothing is sent until somebody confirms how many commands wait "
        "(`orchestrator delivery arm`). The moment of the restore, RFC 3339: what was confirmed later counts, also "
        "after a restart. Or `true`: since this start, and each one until it is taken out.",
    )
    workers: int = Field(
        1, ge=1, le=SLICES, validation_alias="WORKERS", description="Processes of this server; 1 on the embedded log."
    )
    worker: int | None = Field(
        None,
        ge=1,
        validation_alias="ORCHESTRATOR_WORKER",
        description="Which of several processes this one is. Their parent says it; leave it out.",
    )
    worker_lease: Seconds = Field(
        30.0,
        ge=5,
        le=600,
        validation_alias="ORCHESTRATOR_WORKER_LEASE",
        description="Of `orchestrator worker`: so long after its death others are given what it held. "
        "What takes longer it keeps for longer.",
    )
    worker_name: str | None = Field(
        None,
        min_length=1,
        max_length=200,
        validation_alias="ORCHESTRATOR_WORKER_NAME",
        description="Of `orchestrator worker`: its name for people, by default host and process.",
    )
    roles: Annotated[tuple[Role, ...], NoDecode, BeforeValidator(words), Field(min_length=1)] = Field(
        ROLES,
        validation_alias="ORCHESTRATOR_ROLES",
        description="What this server does: api, agent and delivery, separated by commas. All on the embedded log.",
    )
    cache_bytes: int = Field(
        512 << 20, ge=1 << 20, validation_alias="ORCHESTRATOR_CACHE_BYTES", description="Memory for the state of keys."
    )
    tick_delay: Seconds = Field(
        1.0,
        ge=0,
        le=86_400,
        validation_alias="ORCHESTRATOR_TICK_DELAY",
        description="How far ticks stay behind the wall clock, beside the lateness of the rules.",
    )
    body_bytes: int = Field(
        8 << 20, ge=1 << 10, validation_alias="ORCHESTRATOR_MAX_BODY", description="Largest request body, bytes."
    )
    event_bytes: int = Field(
        256 << 10, ge=1 << 10, validation_alias="ORCHESTRATOR_MAX_EVENT", description="Largest event, bytes."
    )
    queue: int = Field(
        50_000,
        ge=1,
        validation_alias="ORCHESTRATOR_QUEUE",
        description="Events that may wait for their append; beyond it requests are answered with 429.",
    )
    streams: int = Field(
        1_000, ge=1, validation_alias="ORCHESTRATOR_STREAMS", description="Live streams that may be open at once."
    )
    origins: Annotated[tuple[str, ...], NoDecode, BeforeValidator(words)] = Field(
        (),
        validation_alias="ORCHESTRATOR_CORS_ORIGINS",
        description="Origins whose pages may call the API from a browser, separated by commas, such as https://a.example.",
    )
    drain: Seconds = Field(
        0.0,
        ge=0,
        le=3600,
        validation_alias="ORCHESTRATOR_DRAIN",
        description="How long requests are still taken after SIGTERM, while /ready says no; for load balancers.",
    )
    log_level: Annotated[LogLevel, BeforeValidator(lower)] = Field(
        "info", validation_alias="LOG_LEVEL", description="debug, info, warning or error."
    )
    traces: str | None = Field(
        None,
        validation_alias="OTEL_EXPORTER_OTLP_ENDPOINT",
        description="Where traces go, OTLP over HTTP, such as http://127.0.0.1:4318. Without it there are none.",
    )

    @model_validator(mode="before")
    @classmethod
    def _redis_is_the_log(cls, given: dict[str, Any]) -> dict[str, Any]:
        url = given.get("redis_url", given.get("REDIS_URL"))
        if url and not given.keys() & {"log", "ORCHESTRATOR_LOG"}:
            return {**given, "log": url}
        return given

    @field_validator("host")
    @classmethod
    def _loopback(cls, host: str) -> str:
        try:
            loopback = host == "localhost" or ipaddress.ip_address(host).is_loopback
        except ValueError:
            loopback = False
        if not loopback:
            raise ValueError("no API key is configured, so the server binds to loopback only: choose 127.0.0.1 or ::1")
        return host

    @field_validator("disarmed")
    @classmethod
    def _moment(cls, disarmed: str | None) -> str | None:
        """As a moment: a worker that is started again is disarmed no later than its parent."""
        if disarmed is None or disarmed.lower() in ("false", "0", "no", "off"):
            return None
        if disarmed.lower() in ("true", "1", "yes", "on"):
            return rfc3339.format(time.time_ns() // 1000)
        try:
            rfc3339.parse(disarmed)
        except ValueError:
            raise ValueError("write `true`, or the moment of the restore, such as 2025-05-01T12:00:00Z") from None
        return disarmed

    @field_validator("siblings_host")
    @classmethod
    def _one_address(cls, host: str) -> str:
        try:
            everywhere = ipaddress.ip_address(host).is_unspecified
        except ValueError:
            everywhere = False
        if everywhere:
            raise ValueError("others cannot reach that: choose the address of this machine in their network")
        return host

    @field_validator("origins")
    @classmethod
    def _origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        for origin in origins:
            if not re.fullmatch(r"https?://[^/*\s]+", origin):
                raise ValueError(f"`{origin}` is no origin: write scheme and host, such as https://a.example")
        return origins

    @field_validator("url")
    @classmethod
    def _http(cls, url: str) -> str:
        if not url.startswith(("http://", "https://")):
            raise ValueError("write an address such as http://127.0.0.1:8000")
        return url.rstrip("/")

    @field_validator("traces")
    @classmethod
    def _collector(cls, url: str | None) -> str | None:
        return url if url is None else cls._http(url)

    @model_validator(mode="after")
    def _one_worker(self) -> Settings:
        if self.workers > 1 and self.embedded:
            raise ValueError(f"WORKERS={self.workers}: the embedded log has one agent process; leave it at 1")
        return self

    @model_validator(mode="after")
    def _whole(self) -> Settings:
        if set(self.roles) < set(ROLES) and self.embedded:
            raise ValueError(
                f"ORCHESTRATOR_ROLES={','.join(self.roles)}: the embedded log belongs to one process, which does "
                "everything; leave it out"
            )
        return self

    @property
    def disarmed_since(self) -> int:
        """Microseconds since 1970; 0 if it is not said."""
        return rfc3339.parse(self.disarmed) if self.disarmed is not None else 0

    @property
    def embedded(self) -> bool:
        """Whether the log is this process's own."""
        return self.log.startswith(("memory:", "sqlite:"))

    @property
    def redis(self) -> RedisOptions:
        """What the log's URL does not say."""
        return RedisOptions(
            timeout=self.timeout,
            attempts=self.retry_attempts,
            longest_pause=self.retry_delay,
            pool=self.redis_pool,
            health_check=self.health_check,
        )


def environment(settings: Settings) -> dict[str, str]:
    """The settings as variables, for another process; the empty ones are none."""
    return {
        str(info.validation_alias): _written(getattr(settings, name)) for name, info in Settings.model_fields.items()
    }


def _written(value: object) -> str:
    if isinstance(value, tuple):
        return (os.pathsep if any(isinstance(each, Path) for each in value) else ",").join(map(str, value))
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    return "" if value is None else str(value)


_WORDS: Final = {
    "float_parsing": "write a duration such as 10s or 500ms",
    "float_type": "write a duration such as 10s or 500ms",
}


def load(**flags: Any) -> Settings:
    """Settings from the environment; flags that are not None win. Raises SettingsError."""
    given = {name: value for name, value in flags.items() if value is not None}
    try:
        return Settings(**given)
    except ValidationError as error:
        raise SettingsError("\n".join(_problem(dict(found), given) for found in error.errors())) from None


def _problem(found: dict[str, Any], given: dict[str, Any]) -> str:
    place = found["loc"]
    text = remedy(found, _WORDS)
    if not place:
        return text
    name = str(place[0])
    field = next((key for key, info in Settings.model_fields.items() if name in (key, info.validation_alias)), name)
    variable = Settings.model_fields[field].validation_alias if field in Settings.model_fields else name
    shown = f"--{field.replace('_', '-')}" if field in given else variable
    return f"{shown}={found['input']}: {text}"
