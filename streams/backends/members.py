"""Members of a log that one process has to itself: those that share its `Log` object."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from streams.log import Beat, Role


class LocalMembers:
    """`now`: the log's clock. The caller sees to it that one thread at a time calls."""

    def __init__(self, now: Callable[[], int]) -> None:
        self._now = now
        self._expires: dict[tuple[Role, str], int] = {}
        self._caught_up: dict[int, int] = {}

    def beat(self, member: str, role: Role, caught_up: Mapping[int, int], ttl: float) -> Beat:
        now = self._now()
        if member:
            self._expires[role, member] = now + int(ttl * 1e6)
        for partition, moment in caught_up.items():
            self._caught_up[partition] = max(moment, self._caught_up.get(partition, moment))
        living = sorted(name for (of, name), expires in self._expires.items() if of == role and expires > now)
        return Beat(living, dict(self._caught_up))

    def leave(self, member: str, role: Role) -> None:
        self._expires.pop((role, member), None)
