"""From a URL to a log: `memory://`, `sqlite:///relative/path`, `sqlite:////absolute/path[?synchronous=normal]`, and
`redis://host:port?name=…` with what `redis/url.py` says.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from streams.backends.limits import LogLimits
from streams.backends.memory import MemoryLog
from streams.backends.redis.open import open_redis
from streams.backends.redis.url import RedisOptions, is_redis, parse
from streams.backends.sqlite.file import PARTITIONS, prepare
from streams.backends.sqlite.log import SqliteLog
from streams.keys import SLICES
from streams.log import Log, LogError


def open_log(
    url: str,
    *,
    partitions: int | None = None,
    now: Callable[[], int],
    create: bool = True,
    limits: LogLimits | None = None,
    redis: RedisOptions | None = None,
) -> Log:
    """The log at this URL, made if it is not there and `create` says so.

    `partitions` None takes what is stored; a new log has 8, in Redis 16. `now` is the wall clock in microseconds; a log
    in Redis has its server's. `redis` says what a URL of Redis does not. Raises LogError for a URL, a path or a number
    of partitions that does not fit, naming the remedy, and LogUnavailable where nobody answers."""
    limits = limits or LogLimits()
    if partitions is not None and not 1 <= partitions <= SLICES:
        raise LogError(f"{partitions} partitions are not possible: choose 1 to {SLICES}")
    if is_redis(url):
        return open_redis(parse(url, redis), partitions=partitions, create=create, limits=limits)
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise LogError(
            f"`{url}` is no address ({error}): write memory://, sqlite:///path/to/log.db or redis://host:6379"
        ) from None
    if parts.scheme == "memory":
        if parts.netloc or parts.path or parts.query:
            raise LogError(f"`{url}`: a log in memory has no name and no options; write memory://")
        if not create:
            raise LogError("a log in memory is always new: there is none to open; name one on disk")
        return MemoryLog(partitions or PARTITIONS, now, limits)
    if parts.scheme == "sqlite":
        path = _path(url, parts.netloc, parts.path)
        synchronous = _synchronous(url, parts.query)
        return SqliteLog(path, prepare(path, partitions, create, limits), now, limits, synchronous)
    raise LogError(
        f"`{url}` names no log this version knows: write memory://, sqlite:///path/to/log.db or redis://host:6379"
    )


def _path(url: str, host: str, path: str) -> Path:
    name = unquote(path[1:])
    if host or not name or name.endswith("/") or name == ":memory:" or "\0" in name:
        raise LogError(
            f"`{url}` names no file: write sqlite:///relative/path.db or sqlite:////absolute/path.db (memory:// for a "
            "log in memory)"
        )
    found = Path(name)
    if found.is_dir():
        raise LogError(f"`{url}` is a folder: add a file name, such as {found / 'log.db'}")
    return found


def _synchronous(url: str, query: str) -> str:
    options = dict(parse_qsl(query, keep_blank_values=True))
    value = options.pop("synchronous", "full").lower()
    if options:
        raise LogError(f"`{url}`: unknown option {', '.join(options)}; the only one is synchronous=full or normal")
    if value not in ("full", "normal"):
        raise LogError(f"`{url}`: synchronous is `{value}`; write full (the default) or normal")
    return value
