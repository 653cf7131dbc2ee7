"""Events on their way from one partition to another, exactly once.

A step puts out forwards; they leave with the commit that decided them. The router appends each to the partition that
owns its key, as producer `p→q` with the output's number as sequence, so sending again after a crash stores nothing
twice. How far it came is the position of processor "forward"; it is written now and then, because what it saves is only
reading again. One thread, the agent's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from streams.event import FORWARDED, Event, Forwarded, control
from streams.keys import partition_of
from streams.log import Append, Code, Commit, Lease, Log
from streams.outputs import Forward, Output

FORWARD: Final = "forward"
_PAGE: Final = 5000


class Router:
    """The forwards of one partition. Raises what `Log.append` raises; then `start` again."""

    def __init__(self, log: Log, lease: Lease) -> None:
        self._log = log
        self._lease = lease
        self._partition = lease.partition
        self._saved = log.position(lease.partition, FORWARD)
        self._sent = self._saved

    def start(self) -> None:
        """Sends what was decided before and may not have been sent."""
        while True:
            first, outputs = self._log.outputs(self._partition, self._sent, _PAGE)
            if not outputs:
                return
            self.send(first, outputs)

    def send(self, first: int, outputs: Sequence[Output]) -> None:
        """`first` is the number of the first output."""
        partitions = self._log.info.partitions
        events: dict[int, list[Event]] = {}
        numbers: dict[int, list[int]] = {}
        for number, output in enumerate(outputs, first):
            if isinstance(output, Forward):
                to = partition_of(output.key, partitions)
                events.setdefault(to, []).append(self._wrapped(output))
                numbers.setdefault(to, []).append(number)
        if events:
            producer = f"{self._partition}→"
            self._log.append(
                [Append(to, events[to], f"{producer}{to}", numbers[to], follows=True) for to in sorted(events)]
            )
        self._sent = first + len(outputs) - 1

    def save(self) -> bool:
        """Writes how far it came. False: somebody else owns the partition now."""
        if self._sent == self._saved:
            return True
        code = self._log.commit(Commit(self._lease, FORWARD, self._saved, self._sent))
        if code in (Code.COMMITTED, Code.DONE):
            self._saved = self._sent
            return True
        return False

    def _wrapped(self, output: Forward) -> Event:
        sent = Forwarded(output.route, self._partition, output.offset, output.event)
        return control(FORWARDED, sent, time=output.event.time, key=output.key)
