"""A producer that loses nothing: it keeps what it published, sends again what it has no answer for, and, where the log
begins a generation, everything that was answered for before.

Events are numbered, and each belongs to one of a few keys. A thread publishes them over HTTP, a batch at a time, now to
the one server and now to the other. Nothing it sends again is another event: source and id stay.
"""

from __future__ import annotations

import http.client
import itertools
import json
import threading
import time
from collections.abc import Sequence
from contextlib import closing
from typing import Final
from urllib.parse import urlsplit

KEYS: Final = 64
BATCH: Final = 20
PAUSE: Final = 0.025
"""Seconds between two batches."""
AGAIN: Final = 0.1
"""Seconds after which what was not taken is sent again."""
ANSWER: Final = 40.0
"""Seconds that a server may take to answer."""
GIVE_UP: Final = 60.0
"""Seconds without any event that was taken."""
MOST: Final = 1_000
"""Events of one request when all are sent again."""


def key(number: int) -> str:
    return f"k{number % KEYS}"


def body(numbers: range, padding: int = 0) -> bytes:
    """A request with these events; each carries so many bytes that mean nothing."""
    events = [
        {"id": f"e{n}", "source": "load", "type": "paid", "subject": key(n), "data": {"n": n, "padding": "x" * padding}}
        for n in numbers
    ]
    return json.dumps(events).encode()


def post(url: str, content: bytes) -> tuple[int, dict[str, str], bytes]:
    """Status, headers, body. Raises OSError and HTTPException."""
    parts = urlsplit(url)
    assert parts.hostname is not None
    with closing(http.client.HTTPConnection(parts.hostname, parts.port, timeout=ANSWER)) as connection:
        connection.request("POST", "/v1/events", content, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()


class Producer:
    """Publishes from when it is made until `stop`."""

    def __init__(self, urls: Sequence[str]) -> None:
        self.sent = 0
        """Events that were answered for, from number 0 on."""
        self.repeated = 0
        """Requests that were sent again because no answer came, or none that the events are stored."""
        self.generation = 1
        """The newest that an answer has named, and that everything was sent again for."""
        self._urls = itertools.cycle(urls)
        self._stop = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="producer")
        self._thread.start()

    def stop(self) -> None:
        """Everything that was begun is answered for then."""
        self._stop.set()
        self._thread.join(2 * GIVE_UP)
        assert not self._thread.is_alive(), "the producer hangs"
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                generation = self._publish(range(self.sent, self.sent + BATCH))
                self.sent += BATCH
                while generation > self.generation:
                    self.generation = generation
                    generation = self._publish_all()
                self._stop.wait(PAUSE)
        except BaseException as error:  # raised by `stop`
            self._error = error

    def _publish_all(self) -> int:
        starts = range(0, self.sent, MOST)
        return max(self._publish(range(start, min(start + MOST, self.sent))) for start in starts)

    def _publish(self, numbers: range) -> int:
        """The newest generation that the answer names."""
        content, begun = body(numbers), time.monotonic()
        while True:
            try:
                status, _, answer = post(next(self._urls), content)
            except (OSError, http.client.HTTPException) as error:
                why = repr(error)
            else:
                if status == 202:
                    return max(int(position.partition(".")[0]) for position in json.loads(answer)["positions"])
                assert status in (429, 503), answer
                why = answer.decode()
            self.repeated += 1
            assert time.monotonic() - begun < GIVE_UP, f"nothing was taken for {GIVE_UP:.0f} s: {why}"
            time.sleep(AGAIN)
