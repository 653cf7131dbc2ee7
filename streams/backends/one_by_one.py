"""Several calls at once, for logs that are no round trip away: one after the other."""

from __future__ import annotations

from collections.abc import Sequence

from streams.log import Answer, Log, Request
from streams.talk import call


class OneByOne:
    def together(self: Log, requests: Sequence[Request]) -> list[Answer | Exception]:
        return [_answer(self, request) for request in requests]


def _answer(log: Log, request: Request) -> Answer | Exception:
    try:
        return call(log, request)
    except Exception as error:  # the answer to this one, which its caller raises
        return error
