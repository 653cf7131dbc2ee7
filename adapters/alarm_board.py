"""What is to be told of each target by all partitions of a process, so that people hear of it once.

Each partition stores its own notes (`alarms.py`). When one gives an alarm it tells what the others have noted too;
once that is stored, they take it off their notes, each in its next commit. What a process did not come to take off is
told again by who owns the partition afterwards: nothing is lost. Turns run in threads: one lock guards all.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import msgspec

ALERTS: Final = "alerts"
"""The target that alarms are sent to."""
LONGEST_TELLING: Final = 60_000_000
"""Microseconds for which the others wait for one that gives an alarm and does not come to store it."""


@dataclass(frozen=True, slots=True)
class AlarmPolicy:
    """Times in microseconds."""

    every: int = 600_000_000
    """Between two alarms of one target and process."""
    open: int = 300_000_000
    """For which a breaker is open before people are told."""


class Noted(msgspec.Struct, array_like=True):
    """Of one target and partition, as it is stored."""

    told: int = 0
    """When the newest alarm was given."""
    parked: int = 0
    """Commands since then."""
    key: str = ""
    """Of the newest of what is to be told: an alarm is of its key, which is this partition's."""
    cause: str = ""
    """The id of the newest command of what is to be told."""
    reason: str = ""
    down: int = 0
    """Since when the target has not answered; 0 if that is not to be told."""

    @property
    def untold(self) -> bool:
        return self.parked > 0 or self.down > 0


class Teller:
    """A partition, for as long as one owner has it."""

    def __init__(self, partition: int) -> None:
        self.partition = partition


class _Telling(NamedTuple):
    teller: Teller
    at: int
    others: dict[Teller, Noted]


@dataclass(slots=True)
class _Target:
    told: int = 0
    telling: _Telling | None = None
    """An alarm that is not stored yet."""
    notes: dict[Teller, Noted] = field(default_factory=dict)
    """What is stored and not told."""
    taken: dict[Teller, Noted] = field(default_factory=dict)
    """What others have told of it, until it is off its notes."""

    def forget(self, teller: Teller) -> None:
        self.notes.pop(teller, None)
        self.taken.pop(teller, None)
        self.give_up(teller)

    def give_up(self, teller: Teller) -> None:
        if self.telling is not None and self.telling.teller is teller:
            self.telling = None

    def note(self, teller: Teller, noted: Noted) -> None:
        self.told = max(self.told, noted.told)
        if noted.untold:
            self.notes[teller] = copy(noted)
        else:
            self.notes.pop(teller, None)


class AlarmBoard:
    """`policies`: by target; of others nothing is told. `changed` is called, from any thread, when partitions are to
    look again."""

    def __init__(self, policies: Mapping[str, AlarmPolicy], changed: Callable[[], None] = lambda: None) -> None:
        self.policies = {target: policy for target, policy in policies.items() if target != ALERTS}
        self._targets = {target: _Target() for target in self.policies}
        self._tellers: dict[int, Teller] = {}
        self._changed = changed
        self._lock = threading.Lock()

    def restore(self, teller: Teller, notes: Mapping[str, Noted]) -> None:
        """All that is stored of a partition. If it was giving an alarm, that was not stored."""
        with self._lock:
            former = self._tellers.get(teller.partition)
            self._tellers[teller.partition] = teller
            for name, target in self._targets.items():
                if former is not None and former is not teller:
                    target.forget(former)
                target.give_up(teller)
                target.note(teller, notes.get(name, Noted()))

    def leave(self, partition: int) -> None:
        """It is delivered from here no more: others read what is stored."""
        with self._lock:
            if (teller := self._tellers.pop(partition, None)) is not None:
                for target in self._targets.values():
                    target.forget(teller)
        self._changed()

    def told(self, name: str) -> int:
        """When the newest alarm of a target was given; 0 for never."""
        return self._targets[name].told

    def due(self, name: str, now: int) -> int:
        """When the next may be given."""
        with self._lock:
            return self._due(name, now)

    def taken(self, teller: Teller) -> dict[str, Noted]:
        """By target, what others have told of it and is to be taken off its notes."""
        with self._lock:
            return {name: target.taken[teller] for name, target in self._targets.items() if teller in target.taken}

    def claim(self, teller: Teller, name: str, now: int) -> list[Noted] | None:
        """It gives an alarm, with what others have noted; None if that is not due any more."""
        with self._lock:
            if self._due(name, now) > now:
                return None
            target = self._targets[name]
            skipped = {teller, *target.taken}
            others = {each: noted for each, noted in target.notes.items() if each not in skipped}
            target.telling = _Telling(teller, now, others)
            return list(others.values())

    def stored(self, teller: Teller, name: str, noted: Noted, took_off: Noted | None) -> None:
        """These are its notes now, without `took_off`, which others had told."""
        with self._lock:
            if not self._has(teller):
                return
            target = self._targets[name]
            if took_off is not None:
                del target.taken[teller]
            target.note(teller, noted)
            told: dict[Teller, Noted] = {}
            if (telling := target.telling) is not None and (telling.teller, telling.at) == (teller, noted.told):
                told = {each: note for each, note in telling.others.items() if self._has(each)}
                target.taken |= told
                target.telling = None
        if told:
            self._changed()

    def _has(self, teller: Teller) -> bool:
        return self._tellers.get(teller.partition) is teller

    def _due(self, name: str, now: int) -> int:
        target = self._targets[name]
        if target.telling is not None and now < target.telling.at + LONGEST_TELLING:
            return target.telling.at + LONGEST_TELLING
        return target.told + self.policies[name].every if target.told else 0
