"""Contestants: what is compared, each in a process of its own, told round by round when to run.

A contestant is a class whose instances have `round()`, which does a known amount of work and says how much and how
long it took (`Round`), preparation not counted. It may have `close()`. Separate processes keep one side's memory and
garbage collection out of the other's time; taking turns lets a slow minute of the machine fall on both. The collector
of ours and of loops by hand is as calm as in a server; other people's products (`AS_IT_COMES`) have Python's default.
"""

from __future__ import annotations

import multiprocessing
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from statistics import median
from typing import Any, NamedTuple, Protocol

from orchestrator.collector import calm

LONGEST_ROUND = 900.0
"""Seconds after which a contestant that does not answer is given up."""


class Round(NamedTuple):
    done: int
    seconds: float
    more: Mapping[str, float] = {}
    """What else there is to say of it."""


class Contestant(Protocol):
    def round(self) -> Round: ...


@dataclass
class Rates:
    """Work per second of each round."""

    rounds: list[Round] = field(default_factory=list)

    @property
    def best(self) -> float:
        return max(each.done / each.seconds for each in self.rounds)

    @property
    def median(self) -> float:
        return median(each.done / each.seconds for each in self.rounds)


class ContestantFailed(Exception):
    pass


def _serve(pipe: Connection, make: Callable[..., Contestant], options: Mapping[str, Any]) -> None:
    try:
        contestant = make(**options)
        if not getattr(make, "AS_IT_COMES", False):
            calm()
        try:
            pipe.send(("ready", None))
            while pipe.recv():
                pipe.send(("round", contestant.round()))
        finally:
            if hasattr(contestant, "close"):
                contestant.close()
    except EOFError:
        pass
    except BaseException:
        pipe.send(("failed", traceback.format_exc()))


class Process:
    """A contestant in its process. It is ready when this is made."""

    def __init__(self, make: Callable[..., Contestant], options: Mapping[str, Any]) -> None:
        context = multiprocessing.get_context("spawn")
        self.name = make.__name__
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, make, options), daemon=True)
        self._process.start()
        theirs.close()
        self._answer()

    def round(self) -> Round:
        self.begin()
        return self.end()

    def begin(self) -> None:
        """A round, for those who do something else meanwhile."""
        self._pipe.send(True)

    def end(self) -> Round:
        answer: Round = self._answer()
        return answer

    def close(self) -> None:
        try:
            self._pipe.send(False)
        except BrokenPipeError:
            pass
        self._process.join(10)
        if self._process.is_alive():
            self._process.kill()

    def _answer(self) -> Any:
        if not self._pipe.poll(LONGEST_ROUND):
            raise ContestantFailed(f"{self.name} gave no answer for {LONGEST_ROUND:.0f} s")
        try:
            kind, value = self._pipe.recv()
        except EOFError:
            raise ContestantFailed(f"{self.name} died without a word") from None
        if kind == "failed":
            raise ContestantFailed(f"{self.name}:\n{value}")
        return value


def compare(contestants: Sequence[tuple[Callable[..., Any], Mapping[str, Any]]], rounds: int) -> list[Rates]:
    """Rounds of all in turn, the first in each turn another time; one unmeasured round of each to begin with."""
    running: list[Process] = []
    try:
        for make, options in contestants:
            running.append(Process(make, options))
        rates = [Rates() for _ in running]
        for process in running:
            process.round()
        for turn in range(rounds):
            places = list(range(len(running)))
            for place in places[turn % len(places) :] + places[: turn % len(places)]:
                rates[place].rounds.append(running[place].round())
        return rates
    finally:
        for process in running:
            process.close()
