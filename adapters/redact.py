"""Keeps the secrets of a target out of what its adapter says: the ledger, events, logs and the console show outcomes.

A secret is replaced as it is, quoted for JSON or a URL, and inside of base64, as `Authorization: Basic` has it.
"""

from __future__ import annotations

import base64
import json
import traceback
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any, Final, TypeVar, cast
from urllib.parse import quote, quote_plus

from msgspec.structs import replace

from adapters.adapter import Adapter, BatchAdapter, preview
from adapters.errors import DeliveryError
from adapters.work import Outcome, Work

HIDDEN: Final = "[redacted]"
SHORTEST: Final = 4
"""Characters: a shorter one would blot out half of every text, and anybody guesses it."""
PASSING: Final = 8
DEEPEST: Final = 100
"""Levels of an answer; what lies deeper is left away."""
PREFIXES: Final = ("whsec_",)
"""What begins a secret without being one."""

T = TypeVar("T")
Given = TypeVar("Given")


class Redactor:
    """Of one target. One event loop."""

    def __init__(self) -> None:
        self._kept: set[str] = set()
        self._passing: deque[frozenset[str]] = deque(maxlen=PASSING)
        self._forms: tuple[str, ...] = ()
        """Longest first, so that no part of one stays."""

    def __repr__(self) -> str:
        return "Redactor(***)"

    def __bool__(self) -> bool:
        """Whether there is anything to hide."""
        return bool(self._forms)

    def add(self, secret: str) -> None:
        self._kept.update(_forms(secret))
        self._sort()

    def add_passing(self, secret: str) -> None:
        """One of those that a target is given while it runs, such as a token: the last PASSING are hidden."""
        self._passing.append(frozenset(_forms(secret)))
        self._sort()

    def text(self, text: str) -> str:
        for form in self._forms:
            if form in text:
                text = text.replace(form, HIDDEN)
        return text

    def value(self, value: Any, level: int = 0) -> Any:
        """Of JSON values, keys too."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, (dict, list, tuple)) and level >= DEEPEST:
            return HIDDEN
        if isinstance(value, dict):
            return {self.value(key, level): self.value(item, level + 1) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.value(item, level + 1) for item in value]
        return value

    def outcome(self, outcome: Outcome) -> Outcome:
        return replace(
            outcome,
            reason=self.text(outcome.reason),
            result=self.value(outcome.result),
            status=self.text(outcome.status),
            progress=self.value(outcome.progress),
        )

    def shows(self, error: BaseException) -> bool:
        """Whether a secret is in what would be logged of this error, or of one behind it."""
        told = "".join(traceback.format_exception(error))
        return any(form in told for form in self._forms)

    def _sort(self) -> None:
        found = self._kept.union(*self._passing)
        self._forms = tuple(sorted(found, key=len, reverse=True))


class AdapterFailed(DeliveryError):
    """Stands for what an adapter raised, where that would have shown a secret."""


class Redacted:
    """Any adapter, whose outcomes and errors show no secret."""

    def __init__(self, adapter: Adapter, redactor: Redactor) -> None:
        self._adapter = adapter
        self._redactor = redactor

    async def deliver(self, work: Work) -> Outcome:
        return self._outcome(await self._guarded(self._adapter.deliver, work))

    async def deliver_many(self, works: Sequence[Work]) -> list[Outcome]:
        assert isinstance(self._adapter, BatchAdapter)
        return [self._outcome(each) for each in await self._guarded(self._adapter.deliver_many, works)]

    async def preview(self, work: Work) -> Any | None:
        return self._redactor.value(await self._guarded(lambda each: preview(self._adapter, each), work))

    async def close(self) -> None:
        await self._adapter.close()

    async def _guarded(self, deliver: Callable[[Given], Awaitable[T]], given: Given) -> T:
        """Raises AdapterFailed in place of an error that shows a secret."""
        try:
            return await deliver(given)
        except Exception as error:
            if not self._redactor.shows(error):
                raise
            failed = AdapterFailed(self._redactor.text(f"{type(error).__name__}: {error}"))
        raise failed  # outside, so that what it stands for is not its context

    def _outcome(self, outcome: object) -> Outcome:
        """What is no outcome is for the workers to report."""
        return self._redactor.outcome(outcome) if isinstance(outcome, Outcome) else cast(Outcome, outcome)


def _forms(secret: str) -> Iterator[str]:
    """All that give it away."""
    for one in {secret, *(secret.removeprefix(prefix) for prefix in PREFIXES)}:
        if len(one) < SHORTEST:
            continue
        yield one
        yield json.dumps(one)[1:-1]
        yield quote(one, safe="")
        yield quote_plus(one)
        yield from _in_base64(one.encode())


def _in_base64(secret: bytes) -> Iterator[str]:
    """What is the same in base64 of every text that holds it: it may begin at any third byte."""
    for before in range(3):
        bits = (before + len(secret)) * 8
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            found = encode(bytes(before) + secret).decode()[(0, 2, 3)[before] : bits // 6]
            if len(found) >= SHORTEST:
                yield found
