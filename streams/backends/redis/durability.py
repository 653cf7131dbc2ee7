"""Up to which event a partition survives what its server promises to survive: the loss of power, of a master.

Where the server syncs before it answers, or promises nothing, that is the tail. Else somebody has to wait: a thread for
each server, started by whoever asks for more than is known, notes the tails, then waits until what was written before
is on disk (WAITAOF; before Redis 7.2 by watching the server's syncs) and with as many replicas as the server itself
wants, or with one where there are any (WAIT). Asking never waits.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Final

from streams.backends.redis.nodes import Channel, Lost, Node
from streams.backends.redis.partitions import Partitions
from streams.backends.redis.scripts import in_full, script
from streams.backends.redis.settings import Knowledge, Settings
from streams.backends.redis.topology import fields
from streams.log import LogError

WAIT: Final = 5.0
"""Seconds of one WAIT or WAITAOF."""
GRACE: Final = 5.0
"""Seconds that its answer may be late."""
SAMPLE: Final = 0.25
"""Seconds between two looks at a server that has no WAITAOF."""
SYNCED_WITHIN: Final = 1.5
"""Seconds. With everysec a sync begins within one and a tick, if none is running then."""
GIVE_UP: Final = 30.0
"""Seconds after which a server that does not get its syncs done is left alone until somebody asks again."""
_PUT: Final = script("put")
PAUSE: Final = 0.5
"""Seconds after a failure."""

Mark = tuple[bytes | None, int]
"""The run of a partition, and an offset in it."""


class Durability:
    def __init__(self, partitions: Partitions, knowledge: Knowledge) -> None:
        self._partitions = partitions
        self._servers = partitions.servers
        self._knowledge = knowledge
        self._lock = threading.Lock()
        self._marks: dict[int, Mark] = {}
        self._waiting: set[Node] = set()
        self._closed = threading.Event()

    def durable(self, partition: int) -> int:
        run, tail = self._noted([partition])[partition]
        try:
            node = self._servers.node(self._partitions.slots[partition])
            settings = self._knowledge.of(node)
        except Lost:
            self._servers.look_again()
            settings, node = None, None
        if settings is not None and not settings.disk and not settings.replicas_awaited:
            return tail
        with self._lock:
            known_run, offset = self._marks.get(partition, (None, 0))
            if known_run != run:
                offset = 0
            if offset < tail and node is not None and node not in self._waiting and not self._closed.is_set():
                self._waiting.add(node)
                threading.Thread(target=self._run, args=(node, settings), name="durable", daemon=True).start()
        return min(offset, tail)

    def close(self) -> None:
        self._closed.set()

    def _noted(self, partitions: Sequence[int]) -> dict[int, Mark]:
        found = self._partitions.ask_each(
            {number: ("HMGET", self._partitions[number].meta, "run", "tail") for number in partitions}
        )
        return {number: (run, int(tail or 0)) for number, (run, tail) in found.items()}

    def _run(self, node: Node, settings: Settings) -> None:
        try:
            self._wait(node, settings)
        except (Lost, LogError):
            self._closed.wait(PAUSE)  # whoever asks next starts anew, and hears what is wrong
        finally:
            with self._lock:
                self._waiting.discard(node)

    def _wait(self, node: Node, settings: Settings) -> None:
        slots = self._partitions.slots
        there = [number for number in range(len(slots)) if self._servers.node(slots[number]) is node]
        noted = self._noted(there)
        with node.borrow() as channel:
            # What WAIT and WAITAOF wait for is the last write of their own connection, and so all before it.
            first = there[0]
            channel.send([in_full(_PUT.call([self._partitions[first].meta], ["durable", noted[first][1], "1"]))])
            reply = channel.receive()
            if isinstance(reply, Exception):
                raise Lost(f"{node.address}: {reply}", sent=True)
            if settings.replicas_awaited and not _replicated(channel, settings.replicas_awaited):
                return
            if settings.disk and not (
                _synced(channel) if settings.waits_for_disk else self._watched(channel, settings)
            ):
                return
        with self._lock:
            self._marks.update(noted)

    def _watched(self, channel: Channel, settings: Settings) -> bool:
        """Whether the server has begun and ended a sync since. What it has received it writes at once, unless a sync is
        running: then it keeps it. So from a moment when it keeps nothing and no sync runs, the next one contains it."""
        begun = time.monotonic()
        clean: float | None = None
        delayed = ""
        while time.monotonic() - begun < GIVE_UP:
            seen = fields(channel.ask("INFO", "persistence"))
            idle = seen.get("aof_pending_bio_fsync") == "0" and seen.get("aof_last_write_status") == "ok"
            if settings.skips_fsync and (
                seen.get("aof_rewrite_in_progress") != "0" or seen.get("rdb_bgsave_in_progress") != "0"
            ):
                idle, clean = False, None
            if seen.get("aof_delayed_fsync") != delayed:
                clean, delayed = None, seen.get("aof_delayed_fsync", "")
            if idle and clean is None and seen.get("aof_buffer_length") == "0":
                clean = time.monotonic()
            elif idle and clean is not None and time.monotonic() - clean >= SYNCED_WITHIN:
                return True
            if self._closed.wait(SAMPLE):
                return False
        return False


def _replicated(channel: Channel, replicas: int) -> bool:
    channel.send([("WAIT", replicas, int(WAIT * 1000))])
    reply = channel.receive(timeout=WAIT + GRACE)
    return isinstance(reply, int) and reply >= replicas


def _synced(channel: Channel) -> bool:
    channel.send([("WAITAOF", 1, 0, int(WAIT * 1000))])
    reply = channel.receive(timeout=WAIT + GRACE)
    return isinstance(reply, list) and reply[0] == 1
