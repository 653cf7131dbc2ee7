"""What a server's settings mean for what is stored in it: how it can be lost, and what to change.

Read from CONFIG where the user may, else guessed from INFO.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import Final

from streams.backends.redis.nodes import Channel, Lost, Node, Reply
from streams.backends.redis.servers import RedisServers
from streams.backends.redis.topology import fields
from streams.backends.redis.url import Address
from streams.log import LogError, LogUnavailable

ASKED: Final = (
    "appendonly appendfsync no-appendfsync-on-rewrite min-replicas-to-write maxmemory maxmemory-policy".split()
)
FRESH: Final = 30.0
"""Seconds that settings are believed: somebody may change them, and another server may become the master."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Of one master."""

    address: Address
    append_only: bool
    fsync: str
    skips_fsync: bool
    """While it writes its file anew it does not bring what it writes to the disk."""
    replicas_needed: int
    max_memory: int
    eviction: str
    replicas: int
    waits_for_disk: bool
    """It knows WAITAOF."""

    @property
    def replicas_awaited(self) -> int:
        """How many must have something before it survives the master: as many as the master itself needs, and where a
        replica could take over, one."""
        return max(self.replicas_needed, 1 if self.replicas else 0)

    @property
    def disk(self) -> bool:
        """Whether what is answered reaches the disk some time later, and can be waited for."""
        return self.append_only and (self.fsync == "everysec" or (self.fsync == "always" and self.skips_fsync))

    def refusal(self) -> str | None:
        """Why a log must not be kept here."""
        if self.eviction.startswith("allkeys"):
            return (
                f"{self.address} throws keys away when its memory is full (maxmemory-policy {self.eviction}): set it "
                "to noeviction"
            )
        return None

    def warnings(self, clustered: bool) -> list[str]:
        found = []
        if (refusal := self.refusal()) is not None:
            found.append(refusal)
        if not self.append_only:
            found.append(f"{self.address} writes no append-only file, so a restart loses events: set appendonly to yes")
        elif self.fsync == "no":
            found.append(
                f"{self.address} leaves it to the kernel when events reach the disk: set appendfsync to everysec"
            )
        elif self.skips_fsync:
            found.append(
                f"{self.address} does not sync while it rewrites its file: set no-appendfsync-on-rewrite to no"
            )
        if not self.max_memory:
            found.append(
                f"{self.address} has no bound of memory, so the kernel may kill it: set maxmemory, and ingest is "
                "refused before it is reached"
            )
        if self.replicas and not self.replicas_needed:
            found.append(
                f"{self.address} answers before a replica has what it answers for, so a failover may lose events: set "
                "min-replicas-to-write to 1 to bound that (effects wait for a replica while one is connected)"
            )
        if clustered and not self.replicas:
            found.append(f"{self.address} has no replica: when it is gone, so are its partitions until it is back")
        return found


class Knowledge:
    """The settings of the masters, asked again from time to time. Any thread may call."""

    def __init__(self, servers: RedisServers) -> None:
        self._servers = servers
        self._lock = threading.Lock()
        self._known: dict[Address, tuple[float, Settings]] = {}

    def read_all(self) -> None:
        """Raises LogError for a master that must not keep a log, LogUnavailable."""
        for node in self._servers.nodes():
            try:
                settings = self.of(node)
            except Lost as error:
                raise LogUnavailable(f"Redis: {error}") from None
            if (refusal := settings.refusal()) is not None:
                raise LogError(refusal)

    def of(self, node: Node) -> Settings:
        """Raises Lost."""
        with self._lock:
            read, settings = self._known.get(node.address, (0.0, None))
        if settings is None or time.monotonic() - read > FRESH:
            settings = _read(node)
            with self._lock:
                self._known[node.address] = (time.monotonic(), settings)
        return settings

    def warnings(self) -> list[str]:
        """Of the masters that are known: asks nobody."""
        masters = self._servers.topology.picture.masters
        with self._lock:
            known = [settings for address, (_, settings) in self._known.items() if address in masters]
        return [text for settings in known for text in settings.warnings(self._servers.clustered)]


def _read(node: Node) -> Settings:
    """Raises Lost."""
    with node.borrow() as channel:
        given = _configuration(channel)
        info = {
            name: value
            for section in ("memory", "persistence", "replication")
            for name, value in fields(channel.ask("INFO", section)).items()
        }
        waits = channel.ask("COMMAND", "INFO", "WAITAOF")
    append_only = given.get("appendonly", "yes" if info.get("aof_enabled") == "1" else "no")
    return Settings(
        address=node.address,
        append_only=append_only == "yes",
        fsync=given.get("appendfsync", "everysec"),
        skips_fsync=given.get("no-appendfsync-on-rewrite", "no") == "yes",
        replicas_needed=int(given.get("min-replicas-to-write", "1" if "min_slaves_good_slaves" in info else "0")),
        max_memory=int(given.get("maxmemory", info.get("maxmemory", "0"))),
        eviction=given.get("maxmemory-policy", info.get("maxmemory_policy", "noeviction")),
        replicas=int(info.get("connected_slaves", "0")),
        waits_for_disk=isinstance(waits, list) and bool(waits) and isinstance(waits[0], list),
    )


def _configuration(channel: Channel) -> dict[str, str]:
    """Empty where CONFIG is not allowed."""
    reply: Reply = channel.ask("CONFIG", "GET", *ASKED)
    if not isinstance(reply, list):
        return {}
    return {name.decode(): value.decode() for name, value in zip(reply[::2], reply[1::2], strict=True)}
