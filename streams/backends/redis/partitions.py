"""The partitions of a log on their servers: calls by partition, those of one round together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice

from streams.backends.redis.keys import LogKeys, PartitionKeys
from streams.backends.redis.nodes import Call, Reply
from streams.backends.redis.servers import RedisServers
from streams.log import LogError


class Partitions:
    def __init__(self, servers: RedisServers, keys: LogKeys) -> None:
        self.servers = servers
        self.keys = keys
        self.slots = [servers.slot(each.meta) for each in keys.partitions]
        self._slot = servers.slot(keys.log)

    def __len__(self) -> int:
        return len(self.slots)

    def __getitem__(self, partition: int) -> PartitionKeys:
        """Raises LogError for one that does not exist."""
        if not 0 <= partition < len(self.slots):
            raise LogError(f"there is no partition {partition}: this log has {len(self.slots)}, counted from 0")
        return self.keys.partitions[partition]

    def ask(self, partition: int, call: Call, *, repeatable: bool = True) -> Reply:
        (reply,) = self.servers.run(self.slots[partition], [call], repeatable=repeatable)
        return reply

    def ask_many(self, partition: int, calls: Sequence[Call]) -> list[Reply]:
        """Of calls that may be done twice."""
        return self.servers.run(self.slots[partition], calls, repeatable=True)

    def ask_each(self, calls: Mapping[int, Call], *, repeatable: bool = True) -> dict[int, Reply]:
        """One call for each partition, all nodes at the same time."""
        by_slot: dict[int, list[int]] = {}
        for partition in calls:
            by_slot.setdefault(self.slots[partition], []).append(partition)
        replies = self.servers.run_many(
            {slot: [calls[partition] for partition in there] for slot, there in by_slot.items()}, repeatable=repeatable
        )
        return {
            partition: reply
            for slot, there in by_slot.items()
            for partition, reply in zip(there, replies[slot], strict=True)
        }

    def ask_apart(self, questions: Sequence[tuple[int, Sequence[Call]]]) -> list[list[Reply | LogError]]:
        """The replies to the calls of each, which may be done twice, all on their way at the same time. An error of one
        call is its reply."""
        calls: dict[int, list[Call]] = {}
        for partition, asked in questions:
            calls.setdefault(self.slots[partition], []).extend(asked)
        replies = {slot: iter(found) for slot, found in self.servers.run_apart(calls).items()}
        return [list(islice(replies[self.slots[partition]], len(asked))) for partition, asked in questions]

    def ask_log(self, call: Call) -> Reply:
        """For the keys that are no partition's; may be done twice."""
        (reply,) = self.servers.run(self._slot, [call], repeatable=True)
        return reply

    def field(self, partition: int, name: str) -> int:
        """A number in the partition's `meta`, 0 if it is not there."""
        return int(self.ask(partition, ("HGET", self[partition].meta, name)) or 0)

    def fields(self, partitions: Iterable[int], name: str) -> dict[int, int]:
        found = self.ask_each({number: ("HGET", self[number].meta, name) for number in partitions})
        return {number: int(value or 0) for number, value in found.items()}
