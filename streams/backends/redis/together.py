"""Several calls of a log at once: one round trip to each server, whatever partitions they are for.

Where partitions share a server, what their logs have beyond some offsets is one XREAD: it answers those that have
something, so that looking at many of which few do costs little.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Generic, NamedTuple, TypeVar

from streams.backends.redis.entries import FEW
from streams.backends.redis.nodes import Call, Reply
from streams.backends.redis.partitions import Partitions
from streams.log import Answer, LogUnavailable, Request

A = TypeVar("A", bound=Answer, covariant=True)


class Question(NamedTuple, Generic[A]):
    """A request as calls that may be done twice, and what makes the answer of their replies."""

    partition: int
    calls: Sequence[Call]
    answer: Callable[[Sequence[Reply]], A]
    stream: str = ""
    """The key of `redis_entries.Stream`, for its call `first` alone."""
    after: int = 0


def together(
    partitions: Partitions, requests: Sequence[Request], question: Callable[[Request], Question[Answer]]
) -> list[Answer | Exception]:
    """What goes wrong with one request, from making its calls to reading their replies, is its answer."""
    answers: list[Answer | Exception | None] = [None] * len(requests)
    asked: dict[int, Question[Answer]] = {}
    for place, request in enumerate(requests):
        try:
            asked[place] = question(request)
        except Exception as error:
            answers[place] = error
    for place, replies in _replies(partitions, asked).items():
        wrong = next((reply for reply in replies if isinstance(reply, Exception)), None)
        try:
            answers[place] = asked[place].answer(replies) if wrong is None else wrong
        except Exception as error:
            answers[place] = error
    return [answer for answer in answers if answer is not None]


def _replies(partitions: Partitions, asked: Mapping[int, Question[Answer]]) -> dict[int, list[Reply]]:
    """By place. An error is a reply."""
    streams: dict[int, dict[str, int]] = {}
    for place, question in asked.items():
        if question.stream:
            streams.setdefault(partitions.slots[question.partition], {}).setdefault(question.stream, place)
    shared = [there for there in streams.values() if len(there) > 1]
    inside = {place for there in shared for place in there.values()}
    apart = [place for place in asked if place not in inside]
    calls: list[tuple[int, Sequence[Call]]] = [(asked[place].partition, asked[place].calls) for place in apart]
    for there in shared:
        places = list(there.values())
        ids = [f"{asked[place].after}-0" for place in places]
        calls.append((asked[places[0]].partition, [("XREAD", "COUNT", FEW, "STREAMS", *there, *ids)]))
    found = partitions.ask_apart(calls)
    replies = dict(zip(apart, found, strict=False))
    for there, (reply,) in zip(shared, found[len(apart) :], strict=True):
        if isinstance(reply, LogUnavailable):
            replies |= {place: [reply] for place in there.values()}
        elif isinstance(reply, Exception):  # of one of the streams
            places = list(there.values())
            alone = partitions.ask_apart([(asked[place].partition, asked[place].calls) for place in places])
            replies |= dict(zip(places, alone, strict=True))
        else:
            entries = {key.decode(): entries for key, entries in reply or ()}
            replies |= {place: [entries.get(key, ())] for key, place in there.items()}
    return replies
