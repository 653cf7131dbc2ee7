"""What one target has to do in one partition, in order of time: the earliest in memory, the rest found in the log.

Memory holds exactly the open entries up to the *horizon*; those beyond it are on disk only, and are read (`fill`) when
memory runs out. So a dead target with a million commands takes no more memory than `capacity` keys, and does not hide
other targets' commands. One thread, that of the partition's turns.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from adapters.ledger import Entry
from adapters.times import Times
from adapters.turn import Bounds
from streams.state import DAWN, NEVER

Key = tuple[int, str]
"""(due, command id)."""
START: Final[Key] = (DAWN, "")
EVERYTHING: Final[Key] = (NEVER, "")
"""The horizon when nothing is on disk only."""
PAGE: Final = 1_000
"""Rows read at a time."""


class DueQueue:
    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._keys: list[Key] = []
        self.horizon = START

    def __len__(self) -> int:
        return len(self._keys)

    @property
    def full(self) -> bool:
        return len(self._keys) >= self._capacity

    def add(self, key: Key) -> Key | None:
        """The key that is on disk only from now on: this one, another, or none."""
        if key > self.horizon:
            return key
        insort(self._keys, key)
        if len(self._keys) <= self._capacity:
            return None
        left = self._keys.pop()
        self.horizon = self._keys[-1]
        return left

    def remove(self, key: Key) -> None:
        place = bisect_left(self._keys, key)
        if place < len(self._keys) and self._keys[place] == key:
            del self._keys[place]

    def fill(self, key: Key) -> None:
        """The next entry beyond the horizon."""
        self._keys.append(key)
        self.horizon = key

    def take(self, now: int, limit: int) -> list[Key]:
        """Removes and returns the earliest that are due."""
        count = min(bisect_right(self._keys, (now, "\U0010ffff")), limit)
        taken = self._keys[:count]
        del self._keys[:count]
        return taken

    def wants_more(self, now: int) -> bool:
        """Whether something on disk could soon be due while memory has little left."""
        if self.horizon == EVERYTHING or len(self._keys) > self._capacity // 2:
            return False
        return not self._keys or self._keys[-1][0] <= now

    def ready(self, now: int) -> bool:
        return bool(self._keys) and self._keys[0][0] <= now

    @property
    def next_due(self) -> int:
        """NEVER if memory holds nothing."""
        return self._keys[0][0] if self._keys else NEVER


class DueQueues:
    """The queues of all targets. Entries of a target that is not among them are ignored."""

    def __init__(self, targets: Iterable[str], bounds: Bounds) -> None:
        self._queues = {target: DueQueue(bounds.capacity) for target in targets}
        self._scan = bounds.scan
        self._expiries = Times()
        """Of what is in memory and does expire."""

    def add(self, entry: Entry) -> None:
        if (queue := self._queues.get(entry.command.to)) is not None:
            self._note_expiry(entry)
            left = queue.add((entry.due, entry.command.id))
            if left is not None:
                self._expiries.remove(left[1])

    def remove(self, entry: Entry) -> None:
        if (queue := self._queues.get(entry.command.to)) is not None:
            queue.remove((entry.due, entry.command.id))
            self._expiries.remove(entry.command.id)

    def take(self, target: str, now: int, limit: int) -> list[str]:
        """Ids of what is due, earliest first; they are in the queue no more."""
        taken = [id for _, id in self._queues[target].take(now, limit)]
        for id in taken:
            self._expiries.remove(id)
        return taken

    def expired(self, now: int) -> list[str]:
        """Ids in memory whose time is over; the caller removes their entries."""
        return self._expiries.passed(now)

    def ready(self, now: int) -> frozenset[str]:
        """Targets with something due."""
        return frozenset(target for target, queue in self._queues.items() if queue.ready(now))

    def dry(self, now: int) -> bool:
        """Whether a target has nothing due in memory and may have on disk: it takes a `refill` to know."""
        return any(queue.wants_more(now) and not queue.ready(now) for queue in self._queues.values())

    def next_due(self, now: int) -> int:
        """When another target will be ready, or something in memory expires; NEVER if nothing will."""
        due = (queue.next_due for queue in self._queues.values() if not queue.ready(now))
        return min((*due, self._expiries.next))

    def refill(
        self,
        now: int,
        read: Callable[[Key, int], Sequence[tuple[Key, Entry | None]]],
        meet: Callable[[Entry], bool],
    ) -> bool:
        """Fills queues that run out from what `read` finds after a key, and of it what `meet` lets in. Whether there
        is more to look at: one call reads a bounded number of rows."""
        behind = {target for target, queue in self._queues.items() if queue.wants_more(now)}
        if not behind:
            return False
        after = min(self._queues[target].horizon for target in behind)
        for _ in range(0, self._scan, PAGE):
            page = read(after, PAGE)
            for key, entry in page:
                if entry is None or not meet(entry) or (target := entry.command.to) not in behind:
                    continue
                queue = self._queues[target]
                if key > queue.horizon:
                    queue.fill(key)
                    self._note_expiry(entry)
                    if queue.full:
                        behind.discard(target)
            after = page[-1][0] if len(page) == PAGE else EVERYTHING
            if after == EVERYTHING or not behind:
                break
        for target in behind:
            self._queues[target].horizon = max(self._queues[target].horizon, after)
        return bool(behind) and after != EVERYTHING

    def _note_expiry(self, entry: Entry) -> None:
        if (at := entry.command.expires_at) != NEVER:
            self._expiries.set(entry.command.id, at)
