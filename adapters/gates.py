"""What may be sent to each target now: its breaker, its rate, whether people have paused it, whether all is disarmed.

One for all partitions of a process, so that each knows of a target that is down after the first few attempts of any. A
breaker's changes lie in a row of the partition whose attempt made them, and a pause in one of every partition; whoever
starts a partition restores both, and of two switches the newer one counts. Turns run in threads: one lock guards all.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import msgspec

from adapters import arming
from adapters.arming import ARMING, Arming
from adapters.breaker import Breaker, BreakerPolicy, Switch
from adapters.bucket import Bucket, Rate
from adapters.work import BROKEN_OFF, Outcome, Verdict
from streams.state import NEVER

BREAKER: Final = "#breaker|"
PAUSED: Final = "#paused|"
"""How the names of their rows begin; the target's name follows."""
UNSENT: Final = frozenset((Verdict.RETURNED, Verdict.DEFERRED))


@dataclass(frozen=True, slots=True)
class GatePolicy:
    breaker: BreakerPolicy | None = None
    rate: Rate | None = None


class Pause(msgspec.Struct, array_like=True, frozen=True):
    at: int
    """Microseconds since 1970."""
    reason: str = ""


class _Gate:
    def __init__(self, policy: GatePolicy) -> None:
        self.breaker = Breaker(policy.breaker) if policy.breaker is not None else None
        self.bucket = Bucket(policy.rate) if policy.rate is not None else None
        self.probing: dict[str, int] = {}
        """Id → end of its lease, of what was leased while the breaker was half open."""
        self.reserved = 0
        """Room given to turns that have not said yet what they leased."""


class Gates:
    """`changed` is called, from any thread, when more or less may be sent than before. `disarmed`: since when nothing
    is sent until somebody confirms it, microseconds since 1970; 0: as the log says."""

    def __init__(
        self, policies: Mapping[str, GatePolicy], changed: Callable[[], None] = lambda: None, disarmed: int = 0
    ) -> None:
        self._gates = {target: _Gate(policy) for target, policy in policies.items()}
        self._pauses: dict[tuple[int, str], Pause] = {}
        self._since = disarmed
        self._armings: dict[int, Arming] = {}
        self._changed = changed
        self._lock = threading.Lock()

    # -- what is stored

    @property
    def rows(self) -> list[str]:
        """Names of the rows in a partition's state that say how the gates stand."""
        return [ARMING, *(f"{kind}{target}" for kind in (BREAKER, PAUSED) for target in self._gates)]

    def restore(self, partition: int, rows: Mapping[str, bytes]) -> Arming | None:
        """What holds already and is to be stored, if anything. Raises msgspec.MsgspecError for a row that is none."""
        found = arming.restored(rows, self._since)
        with self._lock:
            if found is not None:
                self._armings[partition] = found
            else:
                self._armings.pop(partition, None)
            for target, gate in self._gates.items():
                if gate.breaker is not None and (row := rows.get(BREAKER + target)) is not None:
                    gate.breaker.restore(msgspec.json.decode(row, type=Switch))
                if (row := rows.get(PAUSED + target)) is not None:
                    self._pauses[partition, target] = msgspec.json.decode(row, type=Pause)
                else:
                    self._pauses.pop((partition, target), None)
        return found if found is not None and arming.stored(found)[1] != rows.get(ARMING) else None

    def arming(self, partition: int) -> Arming | None:
        return self._armings.get(partition)

    def arm(self, partition: int, arming: Arming) -> None:
        with self._lock:
            self._armings[partition] = arming
        self._changed()

    @property
    def disarmed(self) -> int:
        """Since when a partition that is delivered from here is; 0 if none is."""
        with self._lock:
            return max((each.at for each in self._armings.values() if not each.armed), default=0)

    def pause(self, partition: int, target: str, pause: Pause | None) -> None:
        """None resumes."""
        with self._lock:
            if pause is not None:
                self._pauses[partition, target] = pause
            else:
                self._pauses.pop((partition, target), None)
        self._changed()

    def leave(self, partition: int) -> None:
        """It is delivered from here no more: others say how it stands."""
        with self._lock:
            self._pauses = {key: pause for key, pause in self._pauses.items() if key[0] != partition}
            self._armings.pop(partition, None)

    def share(self, share: float, now: int) -> None:
        """What part of the rates this process may use, 0 to 1."""
        with self._lock:
            for gate in self._gates.values():
                if gate.bucket is not None:
                    gate.bucket.use(share, now)

    # -- what may be sent

    def shut(self, partition: int, target: str, now: int) -> bool:
        """Whether what is leased already is not to be sent."""
        if self._disarmed(partition):
            return True
        gate = self._gates.get(target)
        if gate is None:
            return False
        opened = gate.breaker is not None and gate.breaker.open(now)
        return opened or (partition, target) in self._pauses

    def reserve(self, partition: int, target: str, limit: int, now: int) -> int:
        """How many of `limit` may be leased now. Nobody else has this room until `lent` is called, which must be."""
        if self._disarmed(partition):
            return 0
        gate = self._gates.get(target)
        if gate is None:
            return limit
        with self._lock:
            if self.shut(partition, target, now):
                return 0
            if gate.breaker is not None and gate.breaker.half_open(now):
                gate.probing = {id: end for id, end in gate.probing.items() if end > now}
                limit = min(limit, gate.breaker.probes - len(gate.probing) - gate.reserved)
            if gate.bucket is not None:
                limit = min(limit, gate.bucket.room(now))
                gate.bucket.take(max(0, limit))
            gate.reserved += max(0, limit)
            return max(0, limit)

    def lent(self, target: str, ends: Mapping[str, int], reserved: int, now: int) -> None:
        """Of what was reserved, these were leased; `ends`: id → end of its lease."""
        gate = self._gates.get(target)
        if gate is None:
            return
        with self._lock:
            gate.reserved -= reserved
            if gate.bucket is not None:
                gate.bucket.put_back(reserved - len(ends))
            if gate.breaker is not None and gate.breaker.half_open(now):
                gate.probing.update(ends)

    def prolonged(self, target: str, id: str, end: int) -> None:
        """A lease ends later than was said."""
        if (gate := self._gates.get(target)) is not None:
            with self._lock:
                if id in gate.probing:
                    gate.probing[id] = end

    def _disarmed(self, partition: int) -> bool:
        arming = self._armings.get(partition)
        return arming is not None and not arming.armed

    def problems(self, now: int) -> dict[str, str]:
        """By target, what holds its commands back, in words."""
        with self._lock:
            found = {}
            for target, gate in self._gates.items():
                breaker = gate.breaker
                if breaker is not None and breaker.open(now):
                    found[target] = f"the breaker is open: {breaker.switch.reason}"
                pauses = [pause for (_, paused), pause in self._pauses.items() if paused == target]
                if pauses:
                    found[target] = f"paused: {max(pauses, key=lambda each: each.at).reason}"
            return found

    def held(self, now: int) -> dict[str, tuple[bool, bool]]:
        """Target → whether its breaker is open, whether it is paused in a partition that is delivered from here."""
        with self._lock:
            paused = {target for _, target in self._pauses}
            return {
                target: (gate.breaker is not None and gate.breaker.open(now), target in paused)
                for target, gate in self._gates.items()
            }

    def next_at(self, partition: int, target: str, now: int) -> int:
        """When there is room again as things are; NEVER if that is for others to say."""
        gate = self._gates.get(target)
        with self._lock:
            if gate is None or self._disarmed(partition) or (partition, target) in self._pauses:
                return NEVER
            at = now if gate.bucket is None else gate.bucket.next_at(now)
            if gate.breaker is not None and gate.breaker.switch.open:
                at = max(at, gate.breaker.switch.until)
                probing = [end for end in gate.probing.values() if end > now]
                if probing and len(probing) + gate.reserved >= gate.breaker.probes:
                    at = max(at, min(probing))
            return at

    def record(self, target: str, id: str, leased_at: int, outcome: Outcome, now: int) -> Switch | None:
        """What came of a lease; the change of the breaker that it makes. An answer that names a time (`Retry-After`)
        is heeded and says neither that the target is well nor that it is not; one that was asked for before the breaker
        opened or closed says nothing of what is tried now."""
        gate = self._gates.get(target)
        if gate is None:
            return None
        silent = outcome is BROKEN_OFF or _asks_for_time(outcome)
        switch = None
        with self._lock:
            probed = gate.probing.pop(id, None) is not None
            if outcome.verdict in UNSENT:
                if gate.bucket is not None:
                    gate.bucket.put_back(1)
            elif gate.breaker is not None and not silent and leased_at >= gate.breaker.since:
                switch = gate.breaker.record(outcome.verdict is Verdict.RETRY, outcome.reason, now)
        if probed or switch is not None:
            self._changed()
        return switch


def _asks_for_time(outcome: Outcome) -> bool:
    return outcome.verdict is Verdict.RETRY and outcome.retry_after is not None


def stored(target: str, switch: Switch) -> tuple[str, bytes]:
    """Name and value of its row."""
    return BREAKER + target, msgspec.json.encode(switch)


def stored_pause(target: str, pause: Pause | None) -> tuple[str, bytes | None]:
    return PAUSED + target, None if pause is None else msgspec.json.encode(pause)
