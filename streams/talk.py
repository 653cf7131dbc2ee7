"""What a worker asks of the log, as a talk that somebody else leads: it says what it wants and goes on with the answer.

So who leads the talks of several partitions can ask for all of them at once, where the log is a round trip away, and
a worker knows nothing of it. A talk hears its own answers only, in its own order. One thread.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping
from typing import Any, Final, TypeAlias, TypeVar

from streams.log import Answer, Commit, Log, LogError, Read, Request

T = TypeVar("T")
Talk: TypeAlias = Generator[Request, Any, T]
"""It is sent the answer to each request, or thrown what the log raised."""
MUCH: Final = 512
"""Events of commits that are sent without waiting for others: evaluating more takes longer than a round trip."""


def call(log: Log, request: Request) -> Answer:
    if isinstance(request, Commit):
        return log.commit(request)
    if isinstance(request, Read):
        return log.read(*request)
    return log.rows(*request)


def alone(log: Log, talk: Talk[T]) -> T:
    """Leads one talk to its end, a call at a time. Raises what it raises."""
    try:
        request = next(talk)
        while True:
            try:
                answer = call(log, request)
            except LogError as error:
                request = talk.throw(error)
            else:
                request = talk.send(answer)
    except StopIteration as end:
        result: T = end.value
        return result


def lead(
    log: Log, talks: Mapping[int, Talk[T]], meanwhile: Callable[[], None], wanted: Callable[[int], bool]
) -> Iterator[tuple[int, T | Exception]]:
    """Leads the talks of some partitions together, and tells what each ended with, result or exception, as it ends.
    `meanwhile` is called after each time that the log was asked; a talk that is not `wanted` any more goes no further
    and is not told of."""
    waiting: deque[tuple[int, Answer | Exception | None]] = deque((number, None) for number in talks)
    asked: dict[int, Request] = {}
    events = 0
    while waiting or asked:
        if not waiting or events >= MUCH:
            answers = log.together(list(asked.values()))
            # First who committed, so that what follows from that does not wait for others to evaluate.
            waiting.extendleft(reversed(list(zip(asked, answers, strict=True))))
            asked, events = {}, 0
            meanwhile()
        number, answer = waiting.popleft()
        if not wanted(number):
            talks[number].close()
            continue
        try:
            request = talks[number].throw(answer) if isinstance(answer, Exception) else talks[number].send(answer)
        except StopIteration as end:
            yield number, end.value
        except Exception as error:
            yield number, error
        else:
            asked[number] = request
            if isinstance(request, Commit):
                events += request.end - request.start
