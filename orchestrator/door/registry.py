"""The workers that this process heard of: when, and what became of what they were given here.

In memory only, and bounded: who is not heard of for a while and holds nothing is forgotten, and beyond MOST names or
MOST_HELD leases the oldest. Kept in the event loop; `by_target` may be asked from any thread.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from adapters.work import Outcome, Verdict, Work

MOST: Final = 10_000
MOST_HELD: Final = 100_000
FAILED: Final = frozenset((Verdict.RETRY, Verdict.FINAL))


class Worker(NamedTuple):
    """As one process knows it, or several together."""

    name: str
    targets: list[str]
    last_seen: int
    """Microseconds since 1970."""
    in_flight: int
    leased: int
    done: int
    failed: int
    """Attempts that ended with `retry` or `final`, and leases that ran out."""


@dataclass(slots=True)
class _Known:
    last_seen: int = 0
    targets: set[str] = field(default_factory=set)
    in_flight: int = 0
    counts: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class _Held:
    worker: str
    target: str
    deadline: int


class Registry:
    """`kept`: seconds for which a worker is known after it was heard of."""

    def __init__(self, now: Callable[[], int], kept: float) -> None:
        self._now = now
        self._kept = int(kept * 1e6)
        self._known: dict[str, _Known] = {}
        """The one heard of last is last."""
        self._held: dict[tuple[str, int], _Held] = {}

    def asked(self, worker: str, target: str) -> None:
        self._seen(worker).targets.add(target)

    def leased(self, worker: str, works: Iterable[Work]) -> None:
        known = self._seen(worker)
        for work in works:
            if len(self._held) >= MOST_HELD:
                self._drop(next(iter(self._held)))
            self._held[work.id, work.leased_at] = _Held(worker, work.target, work.deadline)
            known.in_flight += 1
            known.counts["leased"] += 1

    def settled(self, worker: str, work: Work, outcome: Outcome, deadline: int) -> None:
        """`worker`: as it says itself, empty if it does not. `deadline`: of the lease, where it was prolonged."""
        held = self._held.get((work.id, work.leased_at))
        name = held.worker if held is not None else worker
        if not name:
            return
        known = self._seen(name)
        if outcome.verdict is Verdict.HELD:
            if held is not None:
                held.deadline = deadline
            return
        self._drop((work.id, work.leased_at))
        known.counts["done"] += outcome.verdict is Verdict.DONE
        known.counts["failed"] += outcome.verdict in FAILED

    def workers(self) -> list[Worker]:
        now = self._now()
        for lease, held in [each for each in self._held.items() if each[1].deadline <= now]:
            self._drop(lease)
            if (known := self._known.get(held.worker)) is not None:
                known.counts["failed"] += 1
        for name, known in list(self._known.items()):
            if known.in_flight <= 0 and known.last_seen < now - self._kept:
                del self._known[name]
        return [
            Worker(
                name,
                sorted(known.targets),
                known.last_seen,
                known.in_flight,
                known.counts["leased"],
                known.counts["done"],
                known.counts["failed"],
            )
            for name, known in self._known.items()
        ]

    def by_target(self) -> dict[str, tuple[int, int]]:
        """How many workers asked for work of a target of late, and how many commands they hold of it."""
        after = self._now() - self._kept
        asked = Counter(
            target
            for known in self._known.copy().values()
            if known.last_seen >= after
            for target in known.targets.copy()
        )
        held = Counter(each.target for each in self._held.copy().values())
        return {target: (asked[target], held[target]) for target in {*asked, *held}}

    def _seen(self, worker: str) -> _Known:
        known = self._known.pop(worker, None) or _Known()
        if len(self._known) >= MOST:
            del self._known[next(iter(self._known))]
        self._known[worker] = known
        known.last_seen = self._now()
        return known

    def _drop(self, lease: tuple[str, int]) -> None:
        held = self._held.pop(lease, None)
        if held is not None and (known := self._known.get(held.worker)) is not None:
            known.in_flight -= 1


def together(found: Iterable[Sequence[Worker]]) -> list[Worker]:
    """What several processes know, by name."""
    known: dict[str, Worker] = {}
    for worker in (each for workers in found for each in workers):
        other = known.get(worker.name)
        known[worker.name] = worker if other is None else _both(worker, other)
    return [known[name] for name in sorted(known)]


def _both(one: Worker, other: Worker) -> Worker:
    return Worker(
        one.name,
        sorted({*one.targets, *other.targets}),
        max(one.last_seen, other.last_seen),
        one.in_flight + other.in_flight,
        one.leased + other.leased,
        one.done + other.done,
        one.failed + other.failed,
    )
