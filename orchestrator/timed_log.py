"""A log whose appends and commits are measured and told of, by whoever calls it.

Every other call is the log's own.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from orchestrator.decision_time import DecisionTime
from streams.log import AGENT, Answer, Append, Appended, Code, Commit, Lease, Log, LogFull, Request, Role
from streams.worker import RULES


class Measures(Protocol):
    """What it fills."""

    def appended(self, events: int, seconds: float) -> None: ...

    def committed(self, processor: str, seconds: float) -> None: ...


class TimedLog:
    """`decisions` is told what becomes of partitions. `committed` of each commit that was written, in the committer's
    thread; `refused` in any thread when the log takes no more."""

    def __init__(
        self,
        log: Log,
        measures: Measures,
        decisions: DecisionTime,
        committed: Callable[[Commit], None],
        refused: Callable[[LogFull], None],
    ) -> None:
        self._log = log
        self._measures = measures
        self._decisions = decisions
        self._told = committed
        self._refused = refused

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._log, name)
        if callable(found):
            setattr(self, name, found)
        return found

    # -- commits

    def commit(self, commit: Commit) -> Code:
        began = time.perf_counter()
        code = self._log.commit(commit)
        self._committed(commit, code, time.perf_counter() - began)
        return code

    def together(self, requests: Sequence[Request]) -> list[Answer | Exception]:
        """Each commit counts with the time of all: its own is not known."""
        began = time.perf_counter()
        answers = self._log.together(requests)
        took = time.perf_counter() - began
        for request, answer in zip(requests, answers, strict=True):
            if isinstance(request, Commit):
                self._committed(request, answer, took)
        return answers

    def _committed(self, commit: Commit, answer: object, seconds: float) -> None:
        self._measures.committed(commit.processor, seconds)
        if answer is Code.FENCED and commit.processor == RULES:
            self._decisions.left(commit.lease.partition)
        if answer is Code.COMMITTED or answer is Code.DONE:
            if commit.processor == RULES:
                self._decisions.committed(commit.lease.partition, commit.end)
            self._told(commit)

    # -- who evaluates what

    def acquire(self, partition: int, owner: str, ttl: float, role: Role = AGENT) -> Lease | None:
        lease = self._log.acquire(partition, owner, ttl, role)
        if lease is not None and role == AGENT:
            self._decisions.held(partition)
        return lease

    def release(self, lease: Lease) -> None:
        if lease.role == AGENT:
            self._decisions.left(lease.partition)
        self._log.release(lease)

    # -- appends

    def append(self, appends: Sequence[Append]) -> list[Appended]:
        began = time.perf_counter()
        try:
            answers = self._log.append(appends)
        except LogFull as error:
            self._refused(error)
            raise
        outside = [
            (append.partition, answer)
            for append, answer in zip(appends, answers, strict=True)
            if not append.follows and answer.stored
        ]
        if outside:
            self._measures.appended(sum(answer.stored for _, answer in outside), time.perf_counter() - began)
            for partition, answer in outside:
                self._decisions.appended(partition, answer.offset, began)
        return answers
