"""A stream that outlives its connections: where it is, and when to connect anew. Both clients drive one of these."""

from __future__ import annotations

from dataclasses import replace

from orchestrator_client.errors import ClientError, NotOurs, Unreachable
from orchestrator_client.retry import Attempts, Retry
from orchestrator_client.sse import Message, Parser, TooLong
from orchestrator_client.wire import Call

STREAM = "text/event-stream"


class Following:
    def __init__(self, url: str, call: Call, retry: Retry, last_id: str = "") -> None:
        self._url = url
        self._call = call
        self._attempts = Attempts(retry)
        self._parser = Parser(last_id)

    def connect(self) -> Call:
        """What to ask for now: everything behind the last whole message."""
        last_id, wish = self._parser.last_id, self._parser.retry
        self._parser = Parser(last_id)
        self._parser.retry = wish
        headers = {**self._call.headers, "Accept": STREAM, "Cache-Control": "no-store"}
        if last_id:
            headers["Last-Event-ID"] = last_id
        return replace(self._call, headers=headers)

    def check(self, content_type: str) -> None:
        """Of a successful answer. Raises NotOurs."""
        kind = content_type.partition(";")[0].strip().lower()
        if kind != STREAM:
            raise NotOurs(self._url, f"{kind or 'an answer without a type'} where a stream was asked for")

    def feed(self, chunk: bytes) -> list[Message]:
        """Raises NotOurs."""
        self._attempts.succeeded()
        try:
            return self._parser.feed(chunk)
        except TooLong:
            raise NotOurs(self._url, "a message without an end") from None

    def pause(self, error: ClientError | None) -> float:
        """Seconds before connecting anew; None: the server ended the stream. Raises the error if it is final, or if
        there was nothing but errors for as long as the retry allows."""
        error = error or Unreachable(self._url, ConnectionError("the stream ended"))
        if error.retry_after is None:
            error.retry_after = self._parser.retry
        return self._attempts.pause(error)
