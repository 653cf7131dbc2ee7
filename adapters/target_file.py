"""What a targets file may say, by kind of target. Checked by pydantic; what passes is made into `Target`s elsewhere."""

from __future__ import annotations

from ipaddress import AddressValueError, IPv4Address, ip_address
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from adapters.retry import RetryPolicy
from adapters.targets.guard import Network, parse_network
from streams import duration

LONGEST_TIMEOUT = 600.0
"""Seconds."""
MOST_AT_ONCE = 1_000
_DEFAULT = RetryPolicy()


def _seconds(value: Any) -> float:
    if not isinstance(value, str):
        raise ValueError("write a duration with its unit, such as 500ms, 10s or 1h")
    return duration.parse(value) / 1e6


def _network(value: Any) -> Network:
    if not isinstance(value, str):
        raise ValueError("write a network such as 10.0.0.0/8, 127.0.0.1/32 or ::1/128")
    try:
        return parse_network(value)
    except ValueError as error:
        raise ValueError(f"{error}; write a network such as 10.0.0.0/8, 127.0.0.1/32 or ::1/128") from None


Seconds = Annotated[float, BeforeValidator(_seconds)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)


class RetryModel(_Model):
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


class TargetModel(_Model):
    concurrency: Annotated[int, Field(ge=1, le=MOST_AT_ONCE)] = 8
    retry: RetryModel = RetryModel()


class LogModel(TargetModel):
    kind: Literal["log"]


class WebhookModel(TargetModel):
    kind: Literal["webhook"]
    url: str
    secret: str | None = Field(default=None, repr=False)
    allow: list[Annotated[Network, BeforeValidator(_network)]] = []
    timeout: Annotated[Seconds, Field(ge=0.001, le=LONGEST_TIMEOUT)] = 15.0

    @field_validator("url")
    @classmethod
    def _url(cls, text: str) -> str:
        try:
            parts = urlsplit(text)
            port_is_wrong = parts.port == 0
        except ValueError as error:
            raise ValueError(f"is no URL: {error}") from None
        if parts.scheme not in ("http", "https"):
            raise ValueError("must begin with http:// or https://")
        if not parts.hostname or port_is_wrong:
            raise ValueError("names no host that can be called: write https://host/path")
        if parts.username is not None or parts.password is not None:
            raise ValueError("must not hold a user or a password: use `secret`, or a path that only you know")
        if parts.fragment or text.endswith("#"):
            raise ValueError("must not have a fragment (#…): it is never sent")
        if any(character <= " " or character == "\x7f" for character in text):
            raise ValueError("must not hold spaces or control characters")
        _check_host(parts.hostname)
        return text


def _check_host(host: str) -> None:
    """Raises ValueError for what no attempt could ever call."""
    try:
        if ":" in host:
            ip_address(host)
        elif host.replace(".", "").isdecimal():
            IPv4Address(host)
        else:
            host.encode("idna")
    except (AddressValueError, ValueError):
        raise ValueError(f"names the host `{host[:80]}`, which is neither a name nor an address: correct it") from None


MODELS: dict[str, type[LogModel] | type[WebhookModel]] = {"log": LogModel, "webhook": WebhookModel}
