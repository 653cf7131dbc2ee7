"""The door of a server, as a worker calls it: takes commands by lease, keeps them, and says what became of them.

One request for each call, and none is repeated here. `AwayError` says that the same may succeed later, `RefusedError`
that what was said is at fault. In one event loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from email.utils import parsedate_to_datetime
from typing import Final, NamedTuple, TypeVar

import aiohttp
import msgspec

from adapters.retry_after import retry_after
from orchestrator.worker import wire
from streams import rfc3339

CONNECT: Final = 5.0
"""Seconds to connect."""
ANSWER: Final = 15.0
"""Seconds that an answer takes, beside the wait that was asked for. A server stores outcomes within 10."""
SOON: Final = 1.0
"""Seconds: an answer that took no longer was not held up."""
LARGEST: Final = 64 << 20
"""Bytes of an answer. A server sends 8 MiB of commands at once."""
MOST: Final = 1_000
"""Commands of one request."""
LONGEST_WAIT: Final = 30.0
LONGEST_TEXT: Final = 300
"""Characters of what a server said, in an error."""
_FAULTS: Final = (400, 413, 422)
"""Statuses that say that the request itself is at fault."""


_Form = TypeVar("_Form")


class DoorError(Exception):
    """A request to a server came to nothing. The text says why and what to do."""


class AwayError(DoorError):
    """Nobody answers, or not now. `retry_after` in seconds, where the server asked for a time."""

    def __init__(self, text: str, retry_after: float | None = None) -> None:
        super().__init__(text)
        self.retry_after = retry_after


class RefusedError(DoorError):
    """The server will never take it as it is."""


class LostError(DoorError):
    """The lease is over, or another's."""


class Given(NamedTuple):
    leased: wire.Leased
    left: float
    """Seconds for which the lease lasts at least."""


class Door:
    """`url` of the server, without a slash at its end; `now`: the wall clock in microseconds."""

    def __init__(self, http: aiohttp.ClientSession, url: str, worker: str, now: Callable[[], int]) -> None:
        self._http = http
        self._url = url
        self._worker = worker
        self._now = now
        self._offset: float | None = None
        """The event loop's time less the server's, seconds, as the last answer says that was not waited for."""

    async def lease(self, target: str, limit: int, lease: float, wait: float) -> list[Given]:
        """Raises AwayError and RefusedError."""
        asked = {
            "target": target,
            "limit": min(limit, MOST),
            "lease": wire.duration(lease),
            "wait": wire.duration(min(wait, LONGEST_WAIT)),
            "worker": self._worker,
        }
        began = asyncio.get_running_loop().time()
        body, headers = await self._post("lease", msgspec.json.encode(asked), ANSWER + wait)
        found = self._read(body, _leases).commands
        try:
            moments = [rfc3339.parse(each.deadline) for each in found]
        except ValueError as error:
            raise self._stranger(f"a deadline that is none ({error})") from error
        clock, doubt = self._clock(headers, asyncio.get_running_loop().time() - began)
        return [Given(each, (at - clock) / 1e6 - doubt) for each, at in zip(found, moments, strict=True)]

    async def settle(self, outcomes: Sequence[bytes]) -> list[wire.Answer]:
        """Of what `wire.said` made, the answers in the same order. Raises AwayError and RefusedError."""
        said = [msgspec.Raw(each) for each in outcomes]
        asked = msgspec.json.encode({"outcomes": said, "worker": self._worker})
        body, _ = await self._post("outcomes", asked, ANSWER)
        found = self._read(body, _answers).answers
        if len(found) != len(outcomes):
            raise self._stranger(f"{len(found)} answers to {len(outcomes)} outcomes")
        return found

    async def extend(self, id: str, token: str, lease: float) -> str:
        """The token from now on. Raises LostError, AwayError and RefusedError."""
        asked = {"token": token, "lease": wire.duration(lease), "worker": self._worker}
        body, _ = await self._post(f"{id}/extend", msgspec.json.encode(asked), ANSWER, lost=True)
        return self._read(body, _held).token

    # -- inside

    async def _post(
        self, path: str, body: bytes, within: float, *, lost: bool = False
    ) -> tuple[bytes, Mapping[str, str]]:
        timeout = aiohttp.ClientTimeout(total=within, sock_connect=CONNECT)
        headers = {"Content-Type": "application/json"}
        url = f"{self._url}/v1/commands/{path}"
        try:
            async with self._http.post(
                url, data=body, headers=headers, timeout=timeout, allow_redirects=False
            ) as answer:
                content = bytearray()
                async for chunk in answer.content.iter_chunked(1 << 16):
                    content += chunk
                    if len(content) > LARGEST:
                        raise self._stranger(f"more than {LARGEST:,} bytes")
        except TimeoutError as error:
            raise AwayError(f"{self._url} gave no answer within {within:.0f} s") from error
        except (aiohttp.ClientError, OSError) as error:
            reason = str(error) or type(error).__name__
            raise AwayError(f"{self._url} cannot be reached: {reason}; is the server running?") from error
        if answer.status == 200:
            return bytes(content), answer.headers
        text = f"{self._url} answered {answer.status}: {_detail(bytes(content))}"
        if answer.status == 409 and lost:
            raise LostError(text)
        if answer.status in _FAULTS:
            raise RefusedError(text)
        raise AwayError(text, retry_after(answer.headers.get("Retry-After"), self._now()))

    def _read(self, body: bytes, decode: Callable[[bytes], _Form]) -> _Form:
        """Raises AwayError for what no server of ours would answer."""
        try:
            return decode(body)
        except msgspec.MsgspecError as error:
            raise self._stranger(f"an answer that cannot be read ({error})") from error

    def _stranger(self, what: str) -> AwayError:
        return AwayError(f"{self._url} gave {what}: is it an orchestrator? (ORCHESTRATOR_URL)")

    def _clock(self, headers: Mapping[str, str], took: float) -> tuple[int, float]:
        """What the server's clock showed when it answered, which need not be ours, and how many seconds ago that may
        be: a process that was frozen reads an answer late."""
        try:
            date = parsedate_to_datetime(headers["Date"]).timestamp()
        except (KeyError, ValueError, TypeError, IndexError, OverflowError):  # taken away or changed on the way
            return self._now(), 0.0
        offset = asyncio.get_running_loop().time() - date
        if took <= SOON or self._offset is None:
            self._offset = offset
        late = min(max(0.0, offset - self._offset), took)
        return round(date * 1e6), 1.0 + late


class _Held(msgspec.Struct, frozen=True):
    token: str


_leases = msgspec.json.Decoder(wire.Leases).decode
_answers = msgspec.json.Decoder(wire.Answers).decode
_held = msgspec.json.Decoder(_Held).decode
_problem = msgspec.json.Decoder(wire.Problem).decode


def _detail(body: bytes) -> str:
    """Of a problem; else how the answer begins."""
    try:
        found = _problem(body).detail
    except msgspec.MsgspecError:
        found = body[:LONGEST_TEXT].decode("utf-8", "replace")
    return " ".join(found[:LONGEST_TEXT].split())
