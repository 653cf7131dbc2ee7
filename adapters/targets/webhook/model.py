"""What a targets file may say of a webhook."""

from __future__ import annotations

from ipaddress import AddressValueError, IPv4Address, ip_address
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, field_validator

from adapters.target_file import TargetModel
from adapters.targets.webhook.guard import Network, parse_network


def _network(value: Any) -> Network:
    if not isinstance(value, str):
        raise ValueError("write a network such as 10.0.0.0/8, 127.0.0.1/32 or ::1/128")
    try:
        return parse_network(value)
    except ValueError as error:
        raise ValueError(f"{error}; write a network such as 10.0.0.0/8, 127.0.0.1/32 or ::1/128") from None


class WebhookModel(TargetModel):
    kind: Literal["webhook"]
    url: str
    secret: str | None = Field(default=None, repr=False)
    allow: list[Annotated[Network, BeforeValidator(_network)]] = Field(default=[])

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
