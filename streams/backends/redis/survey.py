"""What people want to know of the masters before they keep a log there: version, clock, and settings that endanger it.

Asks them once, makes nothing, and needs no log to be there.
"""

from __future__ import annotations

from typing import NamedTuple

from streams.backends.redis.nodes import Lost, Node
from streams.backends.redis.servers import RedisServers
from streams.backends.redis.settings import Knowledge
from streams.backends.redis.topology import fields
from streams.backends.redis.url import RedisOptions
from streams.log import LogUnavailable


class Master(NamedTuple):
    address: str
    version: str
    now: int
    """Its clock: microseconds since 1970."""
    refusal: str | None
    """Why a log must not be kept there."""
    warnings: list[str]


def survey(options: RedisOptions) -> list[Master]:
    """Raises LogError: LogUnavailable if one does not answer."""
    servers = RedisServers(options)
    try:
        knowledge = Knowledge(servers)
        return [_master(node, knowledge, servers.clustered) for node in servers.nodes()]
    except Lost as error:
        raise LogUnavailable(f"Redis: {error}") from None
    finally:
        servers.close()


def _master(node: Node, knowledge: Knowledge, clustered: bool) -> Master:
    settings = knowledge.of(node)
    with node.borrow() as channel:
        version = fields(channel.ask("INFO", "server")).get("redis_version", "?")
        reply = channel.ask("TIME")
    assert isinstance(reply, list)
    seconds, micros = (int(part) for part in reply)
    refusal = settings.refusal()
    warnings = [text for text in settings.warnings(clustered) if text != refusal]
    return Master(str(node.address), version, seconds * 1_000_000 + micros, refusal, warnings)
