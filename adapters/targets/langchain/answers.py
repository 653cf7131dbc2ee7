"""What an answer of a model's provider means for a command: one table, which the documentation shows as it is. Pure.

The classes of errors differ from provider to provider; what they have in common is the status of HTTP, on the error or
on one behind it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from adapters.retry_after import retry_after
from adapters.work import Outcome, Verdict

LONGEST_REASON: Final = 500
"""Characters."""


@dataclass(frozen=True, slots=True)
class Answer:
    verdict: Verdict
    meaning: str


RETRIED: Final = frozenset((408, 409, 425, 429, *range(500, 600)))
ANSWERS: Final = {
    "408, 409, 425, 429, 5xx": Answer(Verdict.RETRY, "the provider is busy or broken; `Retry-After` is honoured"),
    "every other": Answer(Verdict.FINAL, "the key, the model or the request is refused"),
}
FAILURES: Final = {
    "timeout": Answer(Verdict.RETRY, "no answer within `timeout`"),
    "connect": Answer(Verdict.RETRY, "no connection"),
    "failed": Answer(Verdict.RETRY, "LangChain or the Runnable failed, without a status of HTTP"),
    "budget": Answer(Verdict.DEFERRED, "the tokens of `budget` are used: it costs no attempt"),
    "repair": Answer(Verdict.WAITING, "the answer does not fit the schema: asked again at once, with what is wrong"),
    "template": Answer(Verdict.FINAL, "the prompt cannot be made of this command"),
    "schema": Answer(Verdict.FINAL, "no answer fitted the schema; the last one is in the result"),
    "too-long": Answer(Verdict.FINAL, "the answer is longer than 64 KiB, more than a result may be"),
    "truncated": Answer(Verdict.FINAL, "the answer was cut off at `max_tokens`"),
    "refused": Answer(Verdict.FINAL, "the model or a filter of the provider refused to answer"),
}


def failure(name: str, reason: str, result: Any = None, wait: float | None = None) -> Outcome:
    return Outcome(FAILURES[name].verdict, reason[:LONGEST_REASON], result, wait, name)


def of_error(error: Exception, hidden: list[str], now: int) -> Outcome:
    """`hidden`: texts of the prompt, which providers like to quote. `now`: microseconds."""
    names = {each for one in _chain(error) for each in (type(one).__name__, *_bases(one))}
    told = _said(error, hidden)
    status = next((found for one in _chain(error) if (found := _status(one)) is not None), None)
    if status is not None and status >= 400:  # else it is an answer that cannot be read
        if status not in RETRIED:
            return Outcome(Verdict.FINAL, f"HTTP {status}: {told}", status=str(status))
        header = next((said for one in _chain(error) if (said := _header(one))), None)
        return Outcome(Verdict.RETRY, f"HTTP {status}: {told}", None, retry_after(header, now), str(status))
    if "LengthFinishReasonError" in names:
        return failure("truncated", told)
    if "ContentFilterFinishReasonError" in names or "OpenAIRefusalError" in names:
        return failure("refused", told)
    if isinstance(error, TimeoutError) or names & {"APITimeoutError", "TimeoutException"}:
        return failure("timeout", f"the provider's client gave up waiting: {told}")
    if names & {"APIConnectionError", "ConnectError", "ConnectionError", "NetworkError"}:
        return failure("connect", f"no connection: {told}")
    return failure("failed", told)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """It and what caused it."""
    found: BaseException | None = error
    for _ in range(10):
        if found is None:
            return
        yield found
        found = found.__cause__ or found.__context__


def _bases(error: BaseException) -> list[str]:
    return [base.__name__ for base in type(error).__mro__]


def _status(error: BaseException) -> int | None:
    found = getattr(error, "status_code", None)
    if found is None:
        found = getattr(getattr(error, "response", None), "status_code", None)
    return found if isinstance(found, int) else None


def _header(error: BaseException) -> str | None:
    headers = getattr(getattr(error, "response", None), "headers", None)
    return headers.get("retry-after") if headers is not None else None


def _said(error: Exception, hidden: list[str]) -> str:
    text = f"{type(error).__name__}: {error}"
    for each in hidden:
        text = text.replace(each, "[prompt]") if len(each) > 3 else text
    return text[:LONGEST_REASON]
