"""The two clients under one face, so that one test says of both what they do."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Iterator
from typing import Any

from orchestrator_client import AsyncClient, AsyncPublisher, Client, Publisher


class Either:
    """Calls methods of what it holds; what is asynchronous is waited for, and generators become iterators."""

    def __init__(self, held: Any, loop: asyncio.AbstractEventLoop) -> None:
        self.held = held
        self._loop = loop

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.held, name)
        if not callable(found):
            return found

        def call(*arguments: Any, **more: Any) -> Any:
            answer = found(*arguments, **more)
            if inspect.isasyncgen(answer):
                return self._iterate(answer)
            return self._loop.run_until_complete(answer) if inspect.iscoroutine(answer) else answer

        return call

    def __len__(self) -> int:
        return len(self.held)

    def _iterate(self, generator: Any) -> Iterator[Any]:
        try:
            while True:
                try:
                    yield self._loop.run_until_complete(anext(generator))
                except StopAsyncIteration:
                    return
        finally:
            self._loop.run_until_complete(generator.aclose())

    def sleep(self, seconds: float) -> None:
        """Time passes, and tasks go on."""
        self._loop.run_until_complete(asyncio.sleep(seconds))


class Kind:
    """Makes one of the two kinds."""

    def __init__(self, name: str) -> None:
        self.asynchronous = name == "async"
        self.loop = asyncio.new_event_loop()
        self._open: list[Either] = []

    def client(self, url: str, **more: Any) -> Either:
        made = Either(AsyncClient(url, **more) if self.asynchronous else Client(url, **more), self.loop)
        self._open.append(made)
        return made

    def publisher(self, client: Either, *arguments: Any, **more: Any) -> Either:
        if self.asynchronous:
            return Either(
                self.loop.run_until_complete(AsyncPublisher(client.held, *arguments, **more).__aenter__()), self.loop
            )
        return Either(Publisher(client.held, *arguments, **more), self.loop)

    def close(self) -> None:
        for each in self._open:
            each.aclose() if self.asynchronous else each.close()
        self.loop.close()
