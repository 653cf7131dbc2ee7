"""How full servers are: ingest is refused below their bound, so that commits, which are not, have room to drain."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from typing import Final

from streams.backends.redis.partitions import Partitions
from streams.backends.redis.topology import fields
from streams.backends.redis.url import Address
from streams.log import LogFull

SHARE: Final = 0.85
FRESH: Final = 0.1
"""Seconds that a server is taken to be as full as it was."""


class MemoryWatch:
    def __init__(self, partitions: Partitions, max_bytes: int) -> None:
        """`max_bytes` of one server, 0 for its own bound alone."""
        self._partitions = partitions
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._seen: dict[Address | None, tuple[float, int, int]] = {}
        """When, bytes used, the server's bound."""

    def room(self, partitions: Iterable[int]) -> None:
        """Raises LogFull if one of the servers that have these partitions is too full."""
        servers = self._partitions.servers
        now = time.monotonic()
        at: dict[Address | None, int] = {}
        for partition in partitions:
            slot = self._partitions.slots[partition]
            at.setdefault(servers.topology.of(slot), slot)
        with self._lock:
            old = {address: slot for address, slot in at.items() if self._age(address, now) > FRESH}
        if old:
            replies = servers.run_many({slot: [("INFO", "memory")] for slot in old.values()}, repeatable=True)
            with self._lock:
                for address, slot in old.items():
                    found = fields(replies[slot][0])
                    self._seen[address] = (now, int(found["used_memory"]), int(found.get("maxmemory", "0")))
        for address in at:
            self._check(address)

    def _age(self, address: Address | None, now: float) -> float:
        return now - self._seen[address][0] if address in self._seen else FRESH + 1.0

    def _check(self, address: Address | None) -> None:
        with self._lock:
            _, used, own = self._seen[address]
        bound = min(filter(None, (own, self._max_bytes)), default=0)
        if bound and used >= bound * SHARE:
            raise LogFull(
                f"{address} uses {used >> 20} MB of {bound >> 20} MB, and what is left is kept for commits: wait until "
                "they caught up, raise its maxmemory, or remove what is not needed"
            )
