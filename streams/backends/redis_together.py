"""Several calls of a log at once: one round trip to each server, whatever partitions they are for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, NamedTuple, TypeVar

from streams.backends.redis_nodes import Call, Reply
from streams.backends.redis_partitions import Partitions
from streams.log import Answer, Request

A = TypeVar("A", bound=Answer, covariant=True)


class Question(NamedTuple, Generic[A]):
    """A request as calls that may be done twice, and what makes the answer of their replies."""

    partition: int
    calls: Sequence[Call]
    answer: Callable[[Sequence[Reply]], A]


def together(
    partitions: Partitions, requests: Sequence[Request], question: Callable[[Request], Question[Answer]]
) -> list[Answer | Exception]:
    """What goes wrong with one request, from making its calls to reading their replies, is its answer."""
    answers: list[Answer | Exception | None] = [None] * len(requests)
    asked: list[tuple[int, Question[Answer]]] = []
    for place, request in enumerate(requests):
        try:
            asked.append((place, question(request)))
        except Exception as error:
            answers[place] = error
    found = partitions.ask_apart([(each.partition, each.calls) for _, each in asked])
    for (place, each), replies in zip(asked, found, strict=True):
        wrong = next((reply for reply in replies if isinstance(reply, Exception)), None)
        try:
            answers[place] = each.answer(replies) if wrong is None else wrong
        except Exception as error:
            answers[place] = error
    return [answer for answer in answers if answer is not None]
