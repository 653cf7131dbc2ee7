"""Talks led together: each hears its own answers in its own order, and ends by itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from streams.backends.one_by_one import OneByOne
from streams.log import Code, Commit, Lease, LogError, LogUnavailable, Read, Rows
from streams.talk import MUCH, Talk, alone, lead


class Answers(OneByOne):
    """Answers a read with its partition, and fails for partition 9; notes how many requests came at once."""

    def __init__(self) -> None:
        self.together_calls: list[int] = []

    def together(self, requests: Any) -> Any:
        self.together_calls.append(len(requests))
        return super().together(requests)  # type: ignore[misc]

    def read(self, partition: int, after: int, limit: int) -> Any:
        if partition == 9:
            raise LogUnavailable("nobody answers")
        return partition, after

    def rows(self, partition: int, processor: str, names: Any) -> Any:
        return dict.fromkeys(names, b"")

    def commit(self, commit: Commit) -> Code:
        return Code.COMMITTED


def reading(partition: int, times: int) -> Talk[list[Any]]:
    heard: list[Any] = []
    while len(heard) < times:
        heard.append((yield Read(partition, len(heard), 1)))
    return heard


def committing(partition: int, events: int, done: list[int]) -> Talk[int]:
    yield Commit(Lease(partition, "owner", 1), "rules", 0, events)
    done.append(partition)
    return partition


def led(
    log: Answers, talks: dict[int, Any], meanwhile: Callable[[], None] = lambda: None, wanted: Any = lambda number: True
) -> dict[int, Any]:
    return dict(lead(log, talks, meanwhile, wanted))  # type: ignore[arg-type]


def test_each_hears_its_own_answers_in_its_own_order() -> None:
    log = Answers()
    assert led(log, {n: reading(n, times) for n, times in ((3, 2), (1, 4), (2, 0))}) == {
        2: [],
        3: [(3, 0), (3, 1)],
        1: [(1, 0), (1, 1), (1, 2), (1, 3)],
    }
    assert log.together_calls == [2, 2, 1, 1]


def test_one_that_fails_ends_alone_with_what_the_log_raised() -> None:
    found = led(Answers(), {9: reading(9, 2), 1: reading(1, 2)})
    assert found[1] == [(1, 0), (1, 1)]
    assert isinstance(found[9], LogUnavailable)


def test_one_may_go_on_after_what_the_log_raised() -> None:
    def patient() -> Talk[str]:
        try:
            yield Read(9, 0, 1)
        except LogError:
            return str((yield Rows(9, "rules", ["k"])))
        return "answered"

    assert led(Answers(), {9: patient()}) == {9: "{'k': b''}"}
    assert alone(Answers(), patient()) == "{'k': b''}"  # type: ignore[arg-type]


def test_what_a_talk_raises_itself_is_what_it_ended_with() -> None:
    def wrong() -> Talk[None]:
        yield Read(1, 0, 1)
        raise KeyError("a bug")

    found = led(Answers(), {1: wrong(), 2: reading(2, 1)})
    assert isinstance(found[1], KeyError)
    assert found[2] == [(2, 0)]
    with pytest.raises(KeyError):
        alone(Answers(), wrong())  # type: ignore[arg-type]


def test_large_commits_do_not_wait_for_others_and_go_on_before_others_evaluate() -> None:
    log, done, begun = Answers(), list[int](), list[tuple[int, list[int]]]()

    def noting(number: int, events: int) -> Talk[int]:
        begun.append((number, list(done)))
        return (yield from committing(number, events, done))

    led(log, {number: noting(number, MUCH // 2) for number in range(6)})
    assert log.together_calls == [2, 2, 2]
    assert begun[2] == (2, [0, 1])
    assert done == list(range(6))


def test_one_that_is_not_wanted_any_more_goes_no_further() -> None:
    gone: set[int] = set()
    ended: list[str] = []

    def talk(number: int) -> Talk[int]:
        try:
            yield Read(number, 0, 1)
            yield Read(number, 1, 1)
        except GeneratorExit:
            ended.append(f"{number} closed")
            raise
        return number

    def meanwhile() -> None:
        gone.add(1)

    assert led(Answers(), {n: talk(n) for n in (1, 2)}, meanwhile, lambda number: number not in gone) == {2: 2}
    assert ended == ["1 closed"]


def test_a_request_that_is_alone_is_asked_as_itself() -> None:
    def talk() -> Talk[tuple[Any, Any]]:
        read = yield Read(4, 7, 1)
        return read, (yield Rows(1, "rules", ["a"]))

    assert alone(Answers(), talk()) == ((4, 7), {"a": b""})  # type: ignore[arg-type]
