"""The client for programs that wait for each answer. May be used by several threads at once."""

from __future__ import annotations

import os
import ssl
import time
from collections.abc import Generator, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Literal

import httpx

from orchestrator_client import calls, work
from orchestrator_client.answers import Followed, Page, Published, Row, Watched
from orchestrator_client.batches import Collected, cut
from orchestrator_client.errors import ClientError, NotFound, Unreachable
from orchestrator_client.event import AnyEvent, encode
from orchestrator_client.following import Following
from orchestrator_client.retry import ONCE, Attempts, Retry
from orchestrator_client.sse import Message
from orchestrator_client.watched import WatchedRow, WatchedRows, followed
from orchestrator_client.wire import DEFAULT_URL, Call, address, query, read
from orchestrator_client.work import Leased, Outcome, Settled

TIMEOUT: Final = 40.0
"""More than the 30 s that the server waits for a position at most."""
SILENCE: Final = 60.0
"""Seconds without a byte after which a stream counts as lost."""
WATCH: Final = Retry(within=300.0)
"""Streams outlive a server that is away for five minutes."""


def url_of(url: str | None) -> str:
    """Raises ValueError."""
    return address(url or os.environ.get("ORCHESTRATOR_URL") or DEFAULT_URL)


def trust(url: str) -> ssl.SSLContext | bool:
    """The certificates that the machine trusts; nothing is loaded where there is no TLS."""
    return ssl.create_default_context() if url.startswith("https") else False


class Client:
    """A context that closes its connections.

    url
        Of the server; by default ORCHESTRATOR_URL, or http://127.0.0.1:8000. ValueError if it is none.
    retry
        How long a call is repeated while the server is away or busy.
    timeout
        Seconds that one attempt waits for the network at most.
    headers
        Sent with every request, such as what a gateway before the server asks for.
    http
        An httpx client of your own, for proxies, certificates, limits; closing it stays yours.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        retry: Retry = Retry(),  # noqa: B008  # frozen
        timeout: float = TIMEOUT,
        headers: Mapping[str, str] | None = None,
        http: httpx.Client | None = None,
    ) -> None:
        self.url = url_of(url)
        self._retry = retry
        self._timeout = timeout
        self._headers = dict(headers or {})
        self._owned = http is None
        self._http = http or httpx.Client(verify=trust(self.url))

    def close(self) -> None:
        if self._owned:
            self._http.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    # -- events
    def publish(self, events: AnyEvent | Iterable[AnyEvent], *, retry: Retry | None = None) -> Published:
        """Returns when they are on the server's disk. Many go in several requests, one after the other; of one request
        all are taken or none. Sent again after a lost answer they count once, by `source` and `id`. Raises EventError,
        and errors whose `published` says how many were taken before."""
        given = [events] if not isinstance(events, Iterable) or isinstance(events, Mapping) else events
        return self.publish_encoded([encode(event) for event in given], retry=retry)

    def publish_encoded(self, events: Sequence[bytes], *, retry: Retry | None = None) -> Published:
        """The same of events that are JSON already."""
        collected = Collected()
        for part in cut(events):
            try:
                collected.add(calls.published(self.url, self.call(calls.publish(part), retry)))
            except ClientError as error:
                raise collected.failed(error) from None
        return collected.whole()

    def follow(
        self,
        *,
        partition: int | None = None,
        type: str | None = None,
        subject: str | None = None,
        since: datetime | str | None = None,
        until: datetime | str | None = None,
        after: str | None = None,
        retry: Retry = WATCH,
    ) -> Generator[Followed, None, None]:
        """Events as they come, without an end, from now on or from behind `after`: a `place`, or positions with commas
        between. Connects anew by itself and goes on where it was. Conflict, with the `fork` in its document, where the
        log lost what it was behind."""
        filters = {"partition": partition, "type": type, "subject": subject, "since": since, "until": until}
        for message in self._messages(calls.follow(filters), retry, after or ""):
            yield followed(self.url, message)

    def events(
        self,
        *,
        partition: int | None = None,
        type: str | None = None,
        subject: str | None = None,
        since: datetime | str | None = None,
        until: datetime | str | None = None,
        limit: int | None = None,
    ) -> Generator[dict[str, Any], None, None]:
        """Events of the log, newest first, each with its `position`; asked for a page of `limit` at a time."""
        filters = {"partition": partition, "type": type, "subject": subject, "since": since, "until": until}
        cursor = None
        while True:
            found, cursor = calls.event_page(self.url, self.call(calls.events(filters, limit, cursor)))
            yield from found
            if cursor is None:
                return

    # -- projections
    def row(self, name: str, key: str, *, min_position: str | None = None, wait: int | None = None) -> Row:
        """`fields` is None where there is no row. With `min_position`, the `place` of what was published, it is the
        row after that; NotReached if that takes longer than `wait` seconds (10 if it is left out, at most 30).
        NotFound if there is no such projection."""
        try:
            return calls.found_row(self.url, self.call(calls.row(name, key, min_position, wait)))
        except NotFound as error:
            return calls.no_row(key, error)

    def page(
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
        """Rows that fit: `where={"status": "open", "amount__gt": 100}`, `sort="-amount"`. A list is for `FIELD__in`."""
        return calls.page(self.url, self.call(calls.rows(name, where, sort, limit, cursor, min_position, wait)))

    def rows(
        self,
        name: str,
        where: Mapping[str, Any] | None = None,
        *,
        sort: str | None = None,
        limit: int | None = None,
        min_position: str | None = None,
        wait: int | None = None,
    ) -> Generator[Row, None, None]:
        """All rows that fit, asked for a page of `limit` at a time."""
        found = self.page(name, where, sort=sort, limit=limit, min_position=min_position, wait=wait)
        yield from found.rows
        while found.next is not None:
            found = self.page(name, where, sort=sort, limit=limit, cursor=found.next)
            yield from found.rows

    def watch(self, name: str, key: str, *, retry: Retry = WATCH) -> Generator[Row, None, None]:
        """The row as it is, then whenever it changes; `fields` is None while there is none."""
        shown = WatchedRow(self.url)
        for message in self._messages(calls.row(name, key), retry):
            if (row := shown.news(message)) is not None:
                yield row

    def watch_rows(
        self,
        name: str,
        where: Mapping[str, Any] | None = None,
        *,
        sort: str | None = None,
        limit: int | None = None,
        retry: Retry = WATCH,
    ) -> Generator[Watched, None, None]:
        """The first `limit` rows that fit, then whenever one of them changes, comes or goes."""
        shown = WatchedRows(self.url)
        for message in self._messages(calls.rows(name, where, sort, limit), retry):
            if (rows := shown.news(message)) is not None:
                yield rows

    # -- commands and partitions
    def commands(
        self,
        *,
        state: str | None = None,
        to: str | None = None,
        rule: str | None = None,
        key: str | None = None,
        limit: int | None = None,
    ) -> Generator[dict[str, Any], None, None]:
        """Newest first, asked for a page of `limit` at a time."""
        filters = {"state": state, "to": to, "rule": rule, "key": key}
        cursor = None
        while True:
            found, cursor = calls.command_page(self.url, self.call(calls.commands(filters, limit, cursor)))
            yield from found
            if cursor is None:
                return

    def command(self, id: str) -> dict[str, Any]:
        """Raises NotFound."""
        return self.call(calls.command(id))

    def redrive(self, ids: Sequence[str]) -> int:
        """Parked commands are sent again, all or none: how many. Raises NotFound, and Conflict for one that is not
        parked. Not repeated by itself."""
        return int(self.call(calls.redrive(ids))["redriven"])

    def partitions(self) -> list[dict[str, Any]]:
        return calls.listed(self.url, self.call(calls.PARTITIONS), "partitions")

    def projections(self) -> list[dict[str, Any]]:
        """What there is: name, fields, index, rows, lag."""
        return calls.listed(self.url, self.call(calls.PROJECTIONS), "projections")

    # -- work
    def lease(
        self, target: str, *, limit: int = 25, lease: float = 30.0, wait: float = 0.0, worker: str = ""
    ) -> list[Leased]:
        """Up to `limit` commands of a target that workers deliver, each for `lease` seconds; waits up to `wait`, at
        most 30, for the first. Raises NotFound for no target, and Conflict for one that servers deliver to."""
        return work.leases(self.url, self.call(work.lease(target, limit, lease, wait, worker)))

    def ack(
        self, leased: Leased, result: Any = None, *, status: str = "", took: float | None = None, worker: str = ""
    ) -> str:
        """It is done: the state that the command has now. Returns when it is stored. Raises LeaseLost."""
        outcome = Outcome(leased, result=result, status=status, took=took)
        return work.state(self.url, self.call(work.settle(outcome, worker)))

    def fail(
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
        """It is not done, and is tried again, not before `retry_after` seconds; with `final` it is parked. `verdict`
        says more than that (docs/http.md). Returns and raises as `ack`."""
        what = verdict or ("final" if final else "retry")
        outcome = Outcome(leased, what, reason, result, status, took, retry_after, progress)
        return work.state(self.url, self.call(work.settle(outcome, worker)))

    def extend(self, leased: Leased, lease: float = 30.0, *, worker: str = "") -> Leased:
        """The lease lasts for so many seconds from now at least; go on with what is returned. Raises LeaseLost."""
        return work.extended(self.url, leased, self.call(work.extend(leased, lease, worker)))

    def outcomes(self, said: Sequence[Outcome], *, worker: str = "") -> list[Settled]:
        """Many at once, at most 1,000. What is refused has an `error` in its answer, and raises nothing."""
        return work.settled(self.url, self.call(work.outcomes(said, worker)))

    # -- anything else
    def request(
        self,
        method: str,
        path: str,
        *,
        asked: Mapping[str, Any] | None = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        retry: Retry | None = None,
    ) -> dict[str, Any]:
        """A route that has no method here. `path` is percent-encoded (`segment` does that for one part of it); `asked`
        is the query. Repeated like any other call: with `retry=ONCE` it is not."""
        return self.call(Call(method, path, query((asked or {}).items()), body, headers or {}), retry)

    def call(self, call: Call, retry: Retry | None = None) -> dict[str, Any]:
        """Raises ClientErrors."""
        attempts = Attempts((retry or self._retry) if call.again else ONCE)
        while True:
            try:
                return self._once(call, attempts.timeout(self._timeout))
            except ClientError as error:
                time.sleep(attempts.pause(error))

    def _once(self, call: Call, timeout: float) -> dict[str, Any]:
        try:
            answer = self._http.request(
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

    def _messages(self, call: Call, retry: Retry, last_id: str = "") -> Generator[Message, None, None]:
        following = Following(self.url, call, retry, last_id)
        while True:
            lost: ClientError | None = None
            try:
                yield from self._connection(following)
            except httpx.RequestError as error:
                lost = Unreachable(self.url, error)
            except ClientError as error:
                lost = error
            time.sleep(following.pause(lost))

    def _connection(self, following: Following) -> Generator[Message, None, None]:
        call = following.connect()
        limits = httpx.Timeout(self._timeout, read=SILENCE)
        headers = {**self._headers, **call.headers}
        with self._http.stream(call.method, self.url + call.target, headers=headers, timeout=limits) as answer:
            if answer.status_code != 200:
                read(self.url, call, answer.status_code, answer.headers, answer.read())
            following.check(answer.headers.get("Content-Type", ""))
            for chunk in answer.iter_bytes():
                yield from following.feed(chunk)
