"""Noticing that a server lost events that it, or its predecessor, had answered for.

Every script says which run of its data answers (`common.lua`); a partition's `runs` say with which tail each run
began. Here it is remembered, for each partition, up to where this process has been answered, and by which run. If a run
that came later began before that, a suffix is gone: a fork. It is noted once in the log, whoever notices it, the log's
generation grows, and a control event in the partition says from where on offsets were given anew.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Final

from streams.backends.redis.append import append_call
from streams.backends.redis.clock import LogClock
from streams.backends.redis.nodes import Call
from streams.backends.redis.partitions import Partitions
from streams.backends.redis.scripts import script
from streams.event import FORKED, control
from streams.log import Append, Fork, LogError, LogInfo, LogUnavailable

_GREET: Final = script("greet")
_PUT: Final = script("put")
_FORK: Final = script("fork")
PRODUCER: Final = "orchestrator.forks"
"""Whose sequence is the generation, so that a fork's event is there once."""


class _Met:
    """The runs of a partition, and up to where the last of them has answered us."""

    def __init__(self, run: bytes, runs: list[str]) -> None:
        self.run = run
        self.runs = runs
        self.answered = 0


class Forks:
    """Asks all partitions when it is made. Any thread may call."""

    def __init__(self, partitions: Partitions, clock: LogClock, info: LogInfo) -> None:
        self.info = info
        self.known: Sequence[Fork] = ()
        self._partitions = partitions
        self._log = partitions.keys.log
        self._clock = clock
        self._lock = threading.Lock()
        found = partitions.ask_each({number: self._greet(number) for number in range(len(partitions))})
        for _, _, *missing in found.values():
            if missing:
                raise LogUnavailable(_may_not(partitions, [name.decode() for name in missing]))
        self._met = {number: _Met(run, _runs(runs)) for number, (run, runs) in found.items()}
        self.refresh(info.generation)

    def _greet(self, partition: int) -> Call:
        return _GREET.call([self._partitions[partition].meta])

    def answered(self, partition: int, run: bytes, offset: int = 0) -> None:
        """A script answered, in this run, for events up to this offset. What cannot be found out now is found out with
        the next answer."""
        met = self._met[partition]
        if met.run == run:
            met.answered = max(met.answered, offset)
            return
        with self._lock:
            try:
                self._compare(partition, met, run.decode(), offset)
            except LogError:
                return

    def _compare(self, partition: int, met: _Met, run: str, offset: int) -> None:
        newest, text, *_ = self._partitions.ask(partition, self._greet(partition))
        runs = _runs(text)
        common = 0
        while common < min(len(runs), len(met.runs)) and runs[common] == met.runs[common]:
            common += 1
        begun = {each.partition(":")[0]: int(each.partition(":")[2]) for each in runs}
        later = [each.partition(":")[0] for each in runs[common:]]
        lost = [each for each in later if begun[each] < met.answered]
        if run in begun and run != newest.decode():
            # An answer of a run that has been followed by others meanwhile.
            names = list(begun)
            lost += [each for each in names[names.index(run) + 1 :] if begun[each] < offset and each not in lost]
        for each in lost:
            self._note(partition, each, begun[each])
        if newest != met.run:
            met.run, met.runs, met.answered = newest, runs, 0
        if run == newest.decode():
            met.answered = max(met.answered, offset)

    def _note(self, partition: int, run: str, offset: int) -> None:
        generation: int = self._partitions.ask_log(
            _FORK.call([self._log], [self._clock.argument(), partition, run, offset, self.info.generation])
        )
        self.refresh(generation)

    def refresh(self, generation: int) -> None:
        """The log says that it is in this generation: reads the forks that are not known here. It may also have lost
        what is known here, because it is on a server, too: then it is told again."""
        if generation < self.info.generation:
            self._remind()
            return
        if generation == self.info.generation and len(self.known) == generation - 1:
            return
        found = {fork.generation: fork for fork in parse(self._partitions.ask_log(("HGETALL", self._log)))}
        known = {fork.generation: fork for fork in self.known}
        for number in sorted(found.keys() - known.keys()):
            self._tell(found[number])
        self.known = [fork for _, fork in sorted((found | known).items())]
        self.info = self.info._replace(generation=generation)
        if known.keys() - found.keys():
            self._remind()

    def _tell(self, fork: Fork) -> None:
        """Whoever learns of a fork sees to it that its partition's readers do: one who noted it may have died."""
        event = control(FORKED, {"generation": fork.generation, "offset": fork.offset}, time=fork.at)
        request = Append(fork.partition, [event], PRODUCER, [fork.generation], follows=True)
        self._partitions.ask(fork.partition, append_call(self._partitions[fork.partition], [request], "rules", 0))

    def _remind(self) -> None:
        for fork in self.known:
            text = f"{fork.partition} {fork.offset} {fork.at}"
            self._partitions.ask_log(_PUT.call([self._log], [f"fork:{fork.generation}", text, "0"]))
        self._partitions.ask_log(_PUT.call([self._log], ["generation", self.info.generation, "1"]))


def parse(flat: Sequence[bytes]) -> list[Fork]:
    """The forks that the log's hash speaks of, oldest first; `flat` is what HGETALL answered."""
    found = []
    for name, value in zip(flat[::2], flat[1::2], strict=True):
        if name.startswith(b"fork:"):
            partition, offset, at = map(int, value.split())
            found.append(Fork(int(name[5:]), partition, offset, at))
    return sorted(found)


def _runs(text: bytes | None) -> list[str]:
    """`run:tail` of each, oldest first."""
    return (text or b"").decode().split()


def _may_not(partitions: Partitions, commands: list[str]) -> str:
    options = partitions.servers.options
    rights = " ".join(f"+{name.lower()}" for name in commands)
    return (
        f"Redis refuses the user `{options.user}` what a log needs: ACL SETUSER {options.user} {rights} "
        f"~{{{options.name}}}:* ~{{{options.name}:*"
    )
