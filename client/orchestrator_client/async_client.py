"""The same client for asyncio. What each method does is said in `client.py`. One event loop; any number of tasks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import aclosing
from datetime import datetime
from typing import Any, Literal

import httpx

from orchestrator_client import calls, work
from orchestrator_client.answers import Followed, Page, Published, Row, Watched
from orchestrator_client.batches import Collected, cut
from orchestrator_client.client import SILENCE, TIMEOUT, WATCH, trust, url_of
from orchestrator_client.errors import ClientError, NotFound, Unreachable
from orchestrator_client.event import AnyEvent, encode
from orchestrator_client.following import Following
from orchestrator_client.retry import ONCE, Attempts, Retry
from orchestrator_client.sse import Message
from orchestrator_client.watched import WatchedRow, WatchedRows, followed
from orchestrator_client.wire import Call, query, read
from orchestrator_client.work import Leased, Outcome, Settled


class AsyncClient:
    """An asynchronous context that closes its connections. Parameters as of `Client`."""

    def __init__(
        self,
        url: str | None = None,
        *,
        retry: Retry = Retry(),  # noqa: B008  # frozen
        timeout: float = TIMEOUT,
        headers: Mapping[str, str] | None = None,
        http: httpx.AsyncClient | None = None,
    ) -> None:
        self.url = url_of(url)
        self._retry = retry
        self._timeout = timeout
        self._headers = dict(headers or {})
        self._owned = http is None
        self._http = http or httpx.AsyncClient(verify=trust(self.url))

    async def aclose(self) -> None:
        if self._owned:
            await self._http.aclose()

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.aclose()

    # -- events
    async def publish(self, events: AnyEvent | Iterable[AnyEvent], *, retry: Retry | None = None) -> Published:
        given = [events] if not isinstance(events, Iterable) or isinstance(events, Mapping) else events
        return await self.publish_encoded([encode(event) for event in given], retry=retry)

    async def publish_encoded(self, events: Sequence[bytes], *, retry: Retry | None = None) -> Published:
        collected = Collected()
        for part in cut(events):
            try:
                collected.add(calls.published(self.url, await self.call(calls.publish(part), retry)))
            except ClientError as error:
                raise collected.failed(error) from None
        return collected.whole()

    async def follow(
        self,
        *,
        partition: int | None = None,
        type: str | None = None,
        subject: str | None = None,
        since: datetime | str | None = None,
        until: datetime | str | None = None,
        after: str | None = None,
        retry: Retry = WATCH,
    ) -> AsyncGenerator[Followed, None]:
        filters = {"partition": partition, "type": type, "subject": subject, "since": since, "until": until}
        call = calls.follow(filters)
        async with aclosing(self._messages(call, retry, after or "")) as messages:
            async for message in messages:
                yield followed(self.url, message)

    async def events(
        self,
        *,
        partition: int | None = None,
        type: str | None = None,
        subject: str | None = None,
        since: datetime | str | None = None,
        until: datetime | str | None = None,
        limit: int | None = None,
    ) -> AsyncGenerator[dict[str, Any], None]:
        filters = {"partition": partition, "type": type, "subject": subject, "since": since, "until": until}
        cursor = None
        while True:
            found, cursor = calls.event_page(self.url, await self.call(calls.events(filters, limit, cursor)))
            for event in found:
                yield event
            if cursor is None:
                return

    # -- projections
    async def row(self, name: str, key: str, *, min_position: str | None = None, wait: int | None = None) -> Row:
        try:
            return calls.found_row(self.url, await self.call(calls.row(name, key, min_position, wait)))
        except NotFound as error:
            return calls.no_row(key, error)

    async def page(
        self,
        name: str,
        where: Mapping[str, Any] | None = None,
        *,
        sort: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
        min_position: str | None = None,
        wait: int | None = None,
    ) -> Page:
        return calls.page(self.url, await self.call(calls.rows(name, where, sort, limit, cursor, min_position, wait)))

    async def rows(
        self,
        name: str,
        where: Mapping[str, Any] | None = None,
        *,
        sort: str | None = None,
        limit: int | None = None,
        min_position: str | None = None,
        wait: int | None = None,
    ) -> AsyncGenerator[Row, None]:
        found = await self.page(name, where, sort=sort, limit=limit, min_position=min_position, wait=wait)
        while True:
            for row in found.rows:
                yield row
            if found.next is None:
                return
            found = await self.page(name, where, sort=sort, limit=limit, cursor=found.next)

    async def watch(self, name: str, key: str, *, retry: Retry = WATCH) -> AsyncGenerator[Row, None]:
        shown = WatchedRow(self.url)
        async with aclosing(self._messages(calls.row(name, key), retry)) as messages:
            async for message in messages:
                if (row := shown.news(message)) is not None:
                    yield row

    async def watch_rows(
        self,
        name: str,
        where: Mapping[str, Any] | None = None,
        *,
        sort: str | None = None,
        limit: int | None = None,
        retry: Retry = WATCH,
    ) -> AsyncGenerator[Watched, None]:
        shown = WatchedRows(self.url)
        call = calls.rows(name, where, sort, limit)
        async with aclosing(self._messages(call, retry)) as messages:
            async for message in messages:
                if (rows := shown.news(message)) is not None:
                    yield rows

    # -- commands and partitions
    async def commands(
        self,
        *,
        state: str | None = None,
        to: str | None = None,
        rule: str | None = None,
        key: str | None = None,
        limit: int | None = None,
    ) -> AsyncGenerator[dict[str, Any], None]:
        filters = {"state": state, "to": to, "rule": rule, "key": key}
        cursor = None
        while True:
            found, cursor = calls.command_page(self.url, await self.call(calls.commands(filters, limit, cursor)))
            for command in found:
                yield command
            if cursor is None:
                return

    async def command(self, id: str) -> dict[str, Any]:
        return await self.call(calls.command(id))

    async def redrive(self, ids: Sequence[str]) -> int:
        return int((await self.call(calls.redrive(ids)))["redriven"])

    async def partitions(self) -> list[dict[str, Any]]:
        return calls.listed(self.url, await self.call(calls.PARTITIONS), "partitions")

    async def projections(self) -> list[dict[str, Any]]:
        return calls.listed(self.url, await self.call(calls.PROJECTIONS), "projections")

    # -- work
    async def lease(
        self, target: str, *, limit: int = 25, lease: float = 30.0, wait: float = 0.0, worker: str = ""
    ) -> list[Leased]:
        return work.leases(self.url, await self.call(work.lease(target, limit, lease, wait, worker)))

    async def ack(
        self, leased: Leased, result: Any = None, *, status: str = "", took: float | None = None, worker: str = ""
    ) -> str:
        outcome = Outcome(leased, result=result, status=status, took=took)
        return work.state(self.url, await self.call(work.settle(outcome, worker)))

    async def fail(
        self,
        leased: Leased,
        reason: str,
        *,
        final: bool = False,
        verdict: Literal["retry", "final", "returned", "deferred", "waiting"] | None = None,
        retry_after: float | None = None,
        status: str = "",
        took: float | None = None,
        result: Any = None,
        progress: Any = None,
        worker: str = "",
    ) -> str:
        what = verdict or ("final" if final else "retry")
        outcome = Outcome(leased, what, reason, result, status, took, retry_after, progress)
        return work.state(self.url, await self.call(work.settle(outcome, worker)))

    async def extend(self, leased: Leased, lease: float = 30.0, *, worker: str = "") -> Leased:
        return work.extended(self.url, leased, await self.call(work.extend(leased, lease, worker)))

    async def outcomes(self, said: Sequence[Outcome], *, worker: str = "") -> list[Settled]:
        return work.settled(self.url, await self.call(work.outcomes(said, worker)))

    # -- anything else
    async def request(
        self,
        method: str,
        path: str,
        *,
        asked: Mapping[str, Any] | None = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        retry: Retry | None = None,
    ) -> dict[str, Any]:
        return await self.call(Call(method, path, query((asked or {}).items()), body, headers or {}), retry)

    async def call(self, call: Call, retry: Retry | None = None) -> dict[str, Any]:
        attempts = Attempts((retry or self._retry) if call.again else ONCE)
        while True:
            try:
                return await self._once(call, attempts.timeout(self._timeout))
            except ClientError as error:
                await asyncio.sleep(attempts.pause(error))

    async def _once(self, call: Call, timeout: float) -> dict[str, Any]:
        try:
            answer = await self._http.request(
                call.method,
                self.url + call.target,
                content=call.body,
                headers={**self._headers, **call.headers},
                timeout=timeout,
            )
        except httpx.RequestError as error:
            raise Unreachable(self.url, error) from error
        except httpx.InvalidURL as error:
            raise ClientError(f"{call.path[:80]} cannot be asked for: {error}") from error
        return read(self.url, call, answer.status_code, answer.headers, answer.content)

    async def _messages(self, call: Call, retry: Retry, last_id: str = "") -> AsyncGenerator[Message, None]:
        following = Following(self.url, call, retry, last_id)
        while True:
            lost: ClientError | None = None
            try:
                async with aclosing(self._connection(following)) as messages:
                    async for message in messages:
                        yield message
            except httpx.RequestError as error:
                lost = Unreachable(self.url, error)
            except ClientError as error:
                lost = error
            await asyncio.sleep(following.pause(lost))

    async def _connection(self, following: Following) -> AsyncGenerator[Message, None]:
        call = following.connect()
        limits = httpx.Timeout(self._timeout, read=SILENCE)
        headers = {**self._headers, **call.headers}
        async with self._http.stream(call.method, self.url + call.target, headers=headers, timeout=limits) as answer:
            if answer.status_code != 200:
                read(self.url, call, answer.status_code, answer.headers, await answer.aread())
            following.check(answer.headers.get("Content-Type", ""))
            async for chunk in answer.aiter_bytes():
                for message in following.feed(chunk):
                    yield message
