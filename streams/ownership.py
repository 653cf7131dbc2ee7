"""Which partitions a process holds in one role: who lives, whose share is what, and how partitions move.

Each member says a few times a second that it lives (`Log.beat`) and hears who else does. From the same list all
compute the same shares. A partition is taken by the member whose share it is, once nobody living holds it; its holder
sees in the same list that it became another's share and hands it over when it is done with a batch. So partitions move
one by one while all others go on. Lists may differ for a moment: leases see to it that a partition has one holder, and
epochs that a stale one does no harm.

A member that is silent for as long as a lease lasts counts no more. One thread; `monotonic` in seconds.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from streams.log import Log, Role

BEAT: Final = 0.25
"""Seconds between two signs of life, or a quarter of the lease if that is less."""
NEWS: Final = 0.05
"""The same while there is something to tell."""


def shares(members: Sequence[str], partitions: int) -> dict[int, str]:
    """Partition → member: rendezvous hashing (Thaler and Ravishankar, 1998) in which nobody takes more than an even
    share, rounded up. The same for everybody who knows the same members; few partitions move when one comes or goes."""
    if not members:
        return {}
    most = -(-partitions // len(members))
    loads = dict.fromkeys(members, 0)
    found: dict[int, str] = {}
    for partition in range(partitions):
        free = [member for member in members if loads[member] < most]
        chosen = max(free, key=lambda member: (_weight(partition, member), member))
        found[partition] = chosen
        loads[chosen] += 1
    return found


def _weight(partition: int, member: str) -> bytes:
    return hashlib.blake2b(f"{partition}:{member}".encode(), digest_size=8).digest()


class Ownership:
    """Of one member. `lease` in seconds."""

    def __init__(self, log: Log, member: str, role: Role, *, lease: float, monotonic: Callable[[], float]) -> None:
        self.member = member
        self.share: frozenset[int] = frozenset()
        """The partitions that this member shall hold, as of the last beat."""
        self.members: Sequence[str] = ()
        self.caught_up: Mapping[int, int] = {}
        """As in `Beat`."""
        self._log = log
        self._role = role
        self._lease = lease
        self._monotonic = monotonic
        self._next = monotonic()

    @property
    def wait(self) -> float:
        """Seconds until the next beat."""
        return max(0.0, self._next - self._monotonic())

    def beat(self, caught_up: Mapping[int, int], news: bool = False) -> bool:
        """Beats if it is time to, `news` sooner; whether it did. Raises LogError: nothing is known to have changed
        then, and it is tried again at the next time."""
        clock = self._monotonic()
        pause = min(BEAT, self._lease / 4)
        if clock < self._next - (pause - min(NEWS, pause) if news else 0.0):
            return False
        self._next = clock + pause
        heard = self._log.beat(self.member, self._role, caught_up, self._lease)
        self.caught_up = heard.caught_up
        if heard.members != self.members:
            self.members = heard.members
            whose = shares(heard.members, self._log.info.partitions)
            self.share = frozenset(partition for partition, member in whose.items() if member == self.member)
        return True

    def leave(self) -> None:
        """Others may take what is released from now on. Raises LogError."""
        self._log.leave(self.member, self._role)
