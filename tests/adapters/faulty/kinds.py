"""One kind that is sound, and others that differ from it in one fault each. They post commands over HTTP."""

from __future__ import annotations

import asyncio
import os
import time
import urllib.request
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar

import aiohttp
from pydantic import ConfigDict

from adapters.kind import Kind, Surroundings
from adapters.secrets import resolve
from adapters.target_file import BatchModel, Seconds
from adapters.work import Outcome, Verdict, Work


class Posted(BatchModel):
    url: str
    secret: str
    timeout: Seconds = 3.0


class Sound:
    def __init__(self, model: Posted, secret: str) -> None:
        self.model = model
        self.secret = secret
        self._http: aiohttp.ClientSession | None = None

    async def deliver(self, work: Work) -> Outcome:
        try:
            async with asyncio.timeout(work.timeout or self.model.timeout):
                return await self.send(work, work.body)
        except TimeoutError:
            return Outcome(Verdict.RETRY, "no answer in time")
        except aiohttp.ClientError as error:
            return self.unreachable(error)

    async def deliver_many(self, works: Sequence[Work]) -> list[Outcome]:
        return list(await asyncio.gather(*map(self.deliver, works)))

    async def close(self) -> None:
        if self._http is not None:
            await self._http.close()

    async def send(self, work: Work, body: bytes) -> Outcome:
        if self._http is None:
            self._http = aiohttp.ClientSession()
        async with self._http.post(self.model.url, data=body, headers={"authorization": self.secret}) as answer:
            text = await answer.text()
            return Outcome(Verdict.DONE, result=answer.status) if answer.ok else self.refused(work, text)

    def refused(self, work: Work, text: str) -> Outcome:
        return Outcome(Verdict.FINAL, f"refused: {text}")

    def unreachable(self, error: Exception) -> Outcome:
        return Outcome(Verdict.RETRY, f"nobody answers: {error}")


class Blocking(Sound):
    async def send(self, work: Work, body: bytes) -> Outcome:
        asked = urllib.request.Request(self.model.url, body, {"authorization": self.secret})
        with urllib.request.urlopen(asked, timeout=self.model.timeout) as answer:  # noqa: ASYNC210 - its fault
            return Outcome(Verdict.DONE, result=answer.status)


class Endless(Sound):
    async def deliver(self, work: Work) -> Outcome:
        return await self.send(work, work.body)


class Stubborn(Sound):
    async def deliver(self, work: Work) -> Outcome:
        sending = asyncio.create_task(super().deliver(work))
        until = time.monotonic() + 10
        while not sending.done() and time.monotonic() < until:
            try:
                await asyncio.shield(asyncio.sleep(0.05))
            except asyncio.CancelledError:
                continue
        return sending.result()


class Raising(Sound):
    def unreachable(self, error: Exception) -> Outcome:
        raise error


class Careless(Sound):
    """Does not look at what was answered, nor whether anything was."""

    def refused(self, work: Work, text: str) -> Outcome:
        return Outcome(Verdict.DONE)


class Silent(Sound):
    async def send(self, work: Work, body: bytes) -> Outcome:
        return Outcome(Verdict.DONE)


class Twice(Sound):
    async def send(self, work: Work, body: bytes) -> Outcome:
        await super().send(work, body)
        return await super().send(work, body)


class Renaming(Sound):
    async def send(self, work: Work, body: bytes) -> Outcome:
        return await super().send(work, body.replace(work.id.encode(), f"{work.id}-{work.attempt}".encode()))


class Talkative(Sound):
    """Finds its secret by a way of its own, so that nobody knows what to hide."""

    def __init__(self, model: Posted, secret: str) -> None:
        super().__init__(model, os.environ["SECRET_OF_ITS_OWN"])


class Mute(Sound):
    def refused(self, work: Work, text: str) -> Outcome:
        return Outcome(Verdict.FINAL)


class Hopeless(Sound):
    def unreachable(self, error: Exception) -> Outcome:
        return Outcome(Verdict.FINAL, f"nobody answers: {error}")


class Resentful(Sound):
    def __init__(self, model: Posted, secret: str) -> None:
        super().__init__(model, secret)
        self._refused: dict[str, Outcome] = {}

    async def send(self, work: Work, body: bytes) -> Outcome:
        return self._refused.get(work.id) or await super().send(work, body)

    def refused(self, work: Work, text: str) -> Outcome:
        return self._refused.setdefault(work.id, super().refused(work, text))


class Speechless(Sound):
    async def send(self, work: Work, body: bytes) -> Any:
        await super().send(work, body)


class Unstorable(Sound):
    async def send(self, work: Work, body: bytes) -> Outcome:
        await super().send(work, body)
        return Outcome(Verdict.DONE, result={"at": datetime.now(UTC)})


class Shuffling(Sound):
    async def deliver_many(self, works: Sequence[Work]) -> list[Outcome]:
        await super().deliver_many(works)
        return [Outcome(Verdict.DONE)] * (len(works) - 1)


class Once(Sound):
    """Has an end that all of one target share, and that ends once."""

    closed: ClassVar[set[str]] = set()

    async def send(self, work: Work, body: bytes) -> Outcome:
        if self.model.url in self.closed:
            raise RuntimeError("it is closed")
        return await super().send(work, body)

    async def close(self) -> None:
        await super().close()
        self.closed.add(self.model.url)


class Fragile(Sound):
    async def close(self) -> None:
        assert self._http is not None
        await super().close()


class AnyKeys(Posted):
    model_config = ConfigDict(extra="ignore")


class Loose(Sound): ...


def _kind(adapter: type[Sound], model: type[Posted] = Posted, resolves: bool = True) -> Kind:
    def make(name: str, found: Posted, around: Surroundings) -> Callable[[], Sound]:
        secret = resolve(found.secret, ("secret",), around.secret) if resolves else ""
        return lambda: adapter(found, secret)

    return Kind(adapter.__name__.lower(), model, make)


KINDS = {
    kind.name: kind
    for kind in (
        _kind(Talkative, resolves=False),
        _kind(Loose, AnyKeys),
        *map(
            _kind,
            (
                Sound,
                Blocking,
                Endless,
                Stubborn,
                Raising,
                Careless,
                Silent,
                Twice,
                Renaming,
                Mute,
                Hopeless,
                Resentful,
                Speechless,
                Unstorable,
                Shuffling,
                Once,
                Fragile,
            ),
        ),
    )
}
globals().update(KINDS)  # entry points name them
