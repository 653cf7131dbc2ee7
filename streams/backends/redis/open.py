"""Making and opening a log in Redis."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from streams.backends.limits import LogLimits
from streams.backends.redis.clock import LogClock
from streams.backends.redis.keys import LogKeys
from streams.backends.redis.log import RedisLog
from streams.backends.redis.partitions import Partitions
from streams.backends.redis.scripts import script
from streams.backends.redis.servers import RedisServers
from streams.backends.redis.settings import Knowledge
from streams.backends.redis.url import RedisOptions
from streams.log import LogError, LogInfo

PARTITIONS: Final = 16
FORMAT: Final = "1"
_OPEN: Final = script("open")


def open_redis(
    options: RedisOptions,
    *,
    partitions: int | None = None,
    create: bool = True,
    limits: LogLimits,
    clock: Callable[[], int] | None = None,
) -> RedisLog:
    """`partitions` None takes what is stored, 16 for a new log. `clock` replaces the server's, in tests. Raises
    LogError if there is no log of that name and none may be made, if it is another one than was asked for, or if the
    servers would throw away what is in it."""
    servers = RedisServers(options)
    try:
        ticking = LogClock(clock)
        knowledge = Knowledge(servers)
        knowledge.read_all()
        info = _info(servers, options, partitions, create, ticking)
        partitions_there = Partitions(servers, LogKeys(options.name, info.partitions))
        return RedisLog(partitions_there, info, limits, ticking, knowledge)
    except BaseException:
        servers.close()
        raise


def _info(
    servers: RedisServers, options: RedisOptions, partitions: int | None, create: bool, clock: LogClock
) -> LogInfo:
    key = LogKeys(options.name, 0).log
    call = _OPEN.call([key], [clock.argument(), int(create), FORMAT, partitions or PARTITIONS])
    ((now, flat),) = servers.run(servers.slot(key), [call], repeatable=True)
    clock.told(int(now))
    found = {name.decode(): value.decode() for name, value in zip(flat[::2], flat[1::2], strict=True)}
    if not found:
        raise LogError(f"there is no log `{options.name}` in Redis: start the server once, or choose its ?name=")
    if found.get("format") != FORMAT:
        raise LogError(
            f"the log `{options.name}` in Redis has format {found.get('format')}, this version reads format {FORMAT}: "
            "use the version that wrote it, or another ?name="
        )
    stored = int(found["partitions"])
    if partitions is not None and partitions != stored:
        raise LogError(
            f"the log `{options.name}` in Redis has {stored} partitions, not {partitions}: ask for {stored}, leave the "
            "setting away, or choose another ?name="
        )
    return LogInfo(found["id"], int(found["generation"]), stored)
