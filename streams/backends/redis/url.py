"""The address of Redis servers, as a URL and as the options that everything which speaks to them is handed.

    redis://[user:password@]host[:port][,host:port…][/database][?option=value&…]

`rediss://` speaks TLS. Of a cluster or of sentinels any that live are enough: the others are asked for. Options:
`name` (of the log: keys begin with it), `sentinel` (which master, where sentinels watch several), `sentinel_username`,
`sentinel_password`, `timeout`, `connect_timeout` (seconds), `pool` (connections to one server), and with TLS
`ca_certs`, `certfile`, `keyfile` (paths) and `check_hostname`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit

from streams.log import LogError

PORT: Final = 6379
EXAMPLE: Final = "redis://user:password@host:6379/0?name=orchestrator"
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,99}")


class Address(NamedTuple):
    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class RedisOptions:
    """Times are seconds."""

    addresses: tuple[Address, ...] = (Address("localhost", PORT),)
    username: str | None = None
    password: str | None = None
    database: int = 0
    name: str = "orchestrator"
    """What all keys of a log begin with; neither braces nor spaces are in it."""
    sentinel: str | None = None
    """The master's name, as sentinels know it; None takes the only one they watch."""
    sentinel_username: str | None = None
    sentinel_password: str | None = None
    tls: bool = False
    ca_certs: str | None = None
    """Path of the certificates to trust; None: the system's."""
    certfile: str | None = None
    keyfile: str | None = None
    check_hostname: bool = True
    timeout: float = 30.0
    """How long one call lasts at most, repetitions included."""
    connect_timeout: float = 5.0
    attempts: int = 3
    """A server that does not answer within `timeout / attempts` counts as gone."""
    longest_pause: float = 1.0
    """Between two attempts. Pauses begin short and double, with full jitter."""
    pool: int = 200
    """Connections to one server at most."""
    health_check: float = 30.0
    """A connection that lay unused for so long is asked whether it lives before it is used."""

    @property
    def read_timeout(self) -> float:
        return self.timeout / self.attempts

    @property
    def user(self) -> str:
        """For messages: never with the password."""
        return self.username or "default"


def is_redis(url: str) -> bool:
    return url.startswith(("redis://", "rediss://"))


def parse(url: str, otherwise: RedisOptions | None = None) -> RedisOptions:
    """`otherwise` says what the URL's options do not. Raises LogError that names the part of the URL, never the
    password, and the remedy."""
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise _wrong(f"the address cannot be read ({error})", f"write {EXAMPLE}") from None
    if parts.scheme not in ("redis", "rediss"):
        raise _wrong(f"`{parts.scheme}` is no scheme of Redis", f"write {EXAMPLE}, or rediss:// for TLS")
    if parts.fragment:
        raise _wrong("`#` is in it", "write it as %23 in a password")
    credentials, at, hosts = parts.netloc.rpartition("@")
    username, colon, password = credentials.partition(":")
    if at and not colon:
        raise _wrong("it has a user, but no password", "write user:password@host, or :password@host")
    options = _options(parts.query, parts.scheme == "rediss")
    return replace(
        otherwise or RedisOptions(),
        addresses=tuple(_address(text) for text in hosts.split(",")),
        username=unquote(username) or None,
        password=unquote(password) or None,
        database=_database(parts.path),
        tls=parts.scheme == "rediss",
        **options,
    )


def _wrong(what: str, remedy: str) -> LogError:
    return LogError(f"the URL of Redis: {what}; {remedy}")


def _address(text: str) -> Address:
    found = re.fullmatch(r"(?:\[([0-9A-Fa-f:.]+)\]|([^\[\]:@\s]+))(?::([0-9]{1,5}))?", text)
    if found is None:
        raise _wrong(f"`{text}` is no host", "write host:port, several with commas between them")
    port = int(found[3] or PORT)
    if not 1 <= port <= 65535:
        raise _wrong(f"{port} is no port", "choose one from 1 to 65535")
    return Address(found[1] or found[2], port)


def _database(path: str) -> int:
    text = path.removeprefix("/")
    if text and not re.fullmatch("[0-9]{1,4}", text):
        raise _wrong(f"`{text}` is no database", "write its number, such as /0, and the log's name as ?name=")
    return int(text or 0)


def _seconds(text: str) -> float:
    value = float(text)
    if not 0.1 <= value <= 600:
        raise ValueError
    return value


def _pool(text: str) -> int:
    value = int(text)
    if not 1 <= value <= 10_000:
        raise ValueError
    return value


def _name(text: str) -> str:
    if not _NAME.fullmatch(text):
        raise ValueError
    return text


def _truth(text: str) -> bool:
    return {"true": True, "false": False}[text.lower()]


_SECONDS: Final = "a number of seconds from 0.1 to 600"
_TLS: Final = {"ca_certs", "certfile", "keyfile", "check_hostname"}
_KNOWN: Final[dict[str, tuple[Callable[[str], Any], str]]] = {
    "name": (_name, "letters, digits, . _ : - only, at most 100"),
    "sentinel": (str, ""),
    "sentinel_username": (str, ""),
    "sentinel_password": (str, ""),
    "timeout": (_seconds, _SECONDS),
    "connect_timeout": (_seconds, _SECONDS),
    "pool": (_pool, "a number from 1 to 10000"),
    "ca_certs": (str, ""),
    "certfile": (str, ""),
    "keyfile": (str, ""),
    "check_hostname": (_truth, "true or false"),
}


def _options(query: str, tls: bool) -> dict[str, Any]:
    options: dict[str, Any] = {}
    for name, text in parse_qsl(query, keep_blank_values=True):
        if name not in _KNOWN:
            raise _wrong(f"there is no option `{name}`", f"the options are {', '.join(_KNOWN)}")
        if name in _TLS and not tls:
            raise _wrong(f"`{name}` needs TLS", "begin the URL with rediss://")
        convert, hint = _KNOWN[name]
        try:
            options[name] = convert(text)
        except (ValueError, KeyError):
            raise _wrong(f"the value of `{name}` is wrong", f"write {hint}") from None
    return options
