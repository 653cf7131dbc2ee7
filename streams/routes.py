"""Events on their way from one partition to another, exactly once.

A step puts out forwards, and copies of rows; they leave with the commit that decided them. The router appends a forward
to the partition that owns its key, a copy to all partitions but its own, as producer `p→q` with the output's number as
sequence, so sending again after a crash stores nothing twice. How far it came is the position of processor "forward";
it is written now and then, because what it saves is only reading again. One thread, the agent's.

Where a partition lost events (`streams.log.Fork`) they may be forwards of ours that were sent: whoever starts after
that sends again what is missing there. Where our own partition lost outputs their numbers are given anew, so from then
on they count for another producer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from streams.event import COPIED, FORWARDED, Copied, Event, Forwarded, control
from streams.keys import partition_of
from streams.log import Append, Code, Commit, Lease, Log
from streams.outputs import Copy, Forward, Output
from streams.state import Change

FORWARD: Final = "forward"
HEALED: Final = "healed"
"""The row that says how many forks were looked at."""
_PAGE: Final = 5000


def producer(log: Log, partition: int, to: int) -> str:
    """As whom a partition appends to another. Its sequences are numbers of outputs."""
    ours = [fork.generation for fork in log.forks if fork.partition == partition]
    return f"{partition}.{ours[-1]}→{to}" if ours else f"{partition}→{to}"


def receivers(output: Forward | Copy, partition: int, partitions: int) -> Sequence[int]:
    """Where an output of a partition is sent."""
    if isinstance(output, Forward):
        return (partition_of(output.key, partitions),)
    return [to for to in range(partitions) if to != partition]


class Router:
    """The forwards of one partition. Raises what `Log.append` raises; then `start` again."""

    def __init__(self, log: Log, lease: Lease) -> None:
        self._log = log
        self._lease = lease
        self._partition = lease.partition
        self._saved = log.position(lease.partition, FORWARD)
        self._sent = self._saved
        row = log.rows(lease.partition, FORWARD, [HEALED]).get(HEALED)
        self._healed: int = msgspec.msgpack.decode(row, type=int) if row is not None else 0
        self._changes: list[Change] = []

    def start(self) -> None:
        """Sends what was decided before and may not have been sent, or was lost."""
        self._heal()
        while True:
            first, outputs = self._log.outputs(self._partition, self._sent, _PAGE)
            if not outputs:
                return
            self.send(first, outputs)

    def _heal(self) -> None:
        forks = self._log.forks
        for to in {fork.partition for fork in forks[self._healed :]}:
            at = self._log.sequence(to, self._producer(to))
            while at < self._saved:
                first, outputs = self._log.outputs(self._partition, max(at, 0), _PAGE)
                if not outputs:
                    break
                self._append(first, outputs, to)
                at = first + len(outputs) - 1
        if len(forks) > self._healed:
            self._healed = len(forks)
            self._changes = [Change(HEALED, msgspec.msgpack.encode(self._healed))]

    def send(self, first: int, outputs: Sequence[Output]) -> None:
        """`first` is the number of the first output."""
        self._append(first, outputs)
        self._sent = first + len(outputs) - 1

    def _append(self, first: int, outputs: Sequence[Output], only: int | None = None) -> None:
        partitions = self._log.info.partitions
        events: dict[int, list[Event]] = {}
        numbers: dict[int, list[int]] = {}
        for number, output in enumerate(outputs, first):
            if not isinstance(output, (Forward, Copy)):
                continue
            event = self._wrapped(output)
            for to in receivers(output, self._partition, partitions):
                if only in (None, to):
                    events.setdefault(to, []).append(event)
                    numbers.setdefault(to, []).append(number)
        if events:
            self._log.append(
                [Append(to, events[to], self._producer(to), numbers[to], follows=True) for to in sorted(events)]
            )

    def _producer(self, to: int) -> str:
        return producer(self._log, self._partition, to)

    def save(self) -> bool:
        """Writes how far it came. False: somebody else owns the partition now."""
        if self._sent == self._saved:
            return True
        code = self._log.commit(Commit(self._lease, FORWARD, self._saved, self._sent, self._changes))
        if code in (Code.COMMITTED, Code.DONE):
            self._saved, self._changes = self._sent, []
            return True
        return False

    def _wrapped(self, output: Forward | Copy) -> Event:
        if isinstance(output, Copy):
            copied = Copied(output.projection, output.row, self._partition, output.offset)
            return control(COPIED, copied, time=output.time, key=output.key)
        sent = Forwarded(output.route, self._partition, output.offset, output.event)
        return control(FORWARDED, sent, time=output.event.time, key=output.key)
