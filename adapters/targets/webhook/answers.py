"""What an answer of a webhook means for a command: one table, which the documentation shows as it is. Pure."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass
from typing import Final

from adapters.work import Verdict


@dataclass(frozen=True, slots=True)
class Answer:
    shown: str
    statuses: Container[int]
    verdict: Verdict
    meaning: str


@dataclass(frozen=True, slots=True)
class Failure:
    """No answer: what stands for it as the status of an attempt."""

    verdict: Verdict
    meaning: str


class _Every(Container[int]):
    def __contains__(self, status: object) -> bool:
        return True


RETRIED: Final = frozenset((408, 425, 429, *range(500, 600)))
"""Request Timeout, Too Early, Too Many Requests and faults of the server: the request itself is not to blame."""
ANSWERS: Final = (
    Answer("2xx", range(200, 300), Verdict.DONE, "its status and body (up to 16 KB) are kept as the result"),
    Answer("408, 425, 429, 5xx", RETRIED, Verdict.RETRY, "`Retry-After` is honoured, up to a day"),
    Answer("410", (410,), Verdict.FINAL, "gone: the receiver wants no more of it. Change `url`, or the rule's `to`"),
    Answer("every other, redirects too", _Every(), Verdict.FINAL, "redirects are not followed"),
)
"""The first that fits counts."""
FAILURES: Final = {
    "timeout": Failure(Verdict.RETRY, "no whole answer's head within `timeout`"),
    "connect": Failure(Verdict.RETRY, "no connection, or none within 5 s; the name is not known"),
    "tls": Failure(Verdict.RETRY, "the receiver's certificate is not trusted, or it wants another of ours"),
    "broken": Failure(Verdict.RETRY, "the connection broke, or what came is no HTTP"),
    "token": Failure(Verdict.RETRY, "`oauth2`: no token, or the receiver answered it with 401; the next is a new one"),
    "results": Failure(Verdict.RETRY, "a batch: the answer's `results` cannot be read, or say nothing of the command"),
    "refused-address": Failure(Verdict.FINAL, "the address is not public and not in `allow`"),
    "url": Failure(Verdict.FINAL, "the URL cannot be called"),
    "template": Failure(Verdict.FINAL, "a header or the URL cannot be made of this command"),
}


def verdict(status: int) -> Verdict:
    return next(answer.verdict for answer in ANSWERS if status in answer.statuses)
