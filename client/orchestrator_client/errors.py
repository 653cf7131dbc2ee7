"""What can go wrong, each as a type of its own. `ClientError` catches all of it.

`passing` is whether the same call may succeed a moment later: the client itself repeats such calls within its time
limit, so who sees one of these errors knows that the limit is over.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple


class ClientError(Exception):
    passing: bool = False
    retry_after: float | None = None
    """Seconds to wait at least, as the server said."""
    published: int = 0
    """Of a `publish` that took several requests: how many events the server had taken before this one failed."""


class Unreachable(ClientError):
    """There was no answer. Whether the server got the request is not known."""

    passing = True

    def __init__(self, url: str, error: Exception) -> None:
        super().__init__(f"{url} cannot be reached: {error}")
        self.url = url
        self.reason = str(error)


class NotOurs(ClientError):
    """Something answered, and it is no orchestrator."""

    def __init__(self, url: str, what: str) -> None:
        super().__init__(f"{url} gave {what}: is it an orchestrator?")
        self.url = url
        self.what = what


class Problem(ClientError):
    """The server said no: its `application/problem+json`. `document` has every member, also those without a name
    here."""

    request_id: str | None = None
    """What the server's log calls the request."""

    def __init__(self, status: int, document: Mapping[str, Any], retry_after: float | None = None) -> None:
        super().__init__(str(document.get("detail") or f"HTTP {status}"))
        self.status = status
        self.document = dict(document)
        self.retry_after = retry_after

    @property
    def detail(self) -> str:
        """What is wrong and what to do, in words."""
        return str(self)

    @property
    def field(self) -> str | None:
        """The attribute or parameter to blame."""
        found = self.document.get("field")
        return found if isinstance(found, str) else None

    @property
    def index(self) -> int | None:
        """The place of the event to blame among those of the call."""
        found = self.document.get("index")
        return found if isinstance(found, int) else None

    @property
    def as_of(self) -> str | None:
        """The position up to which the refusal is true."""
        found = self.document.get("as_of")
        return found if isinstance(found, str) else None


class Invalid(Problem):
    """400, 413, 415, 422: the same request will never be taken."""


class NotFound(Problem):
    """404."""


class Conflict(Problem):
    """409: what is there does not allow it."""


class LeaseLost(Conflict):
    """The lease of a command is over or was given to another: nothing was changed, and if it is not done it comes
    again."""


class Busy(Problem):
    """429 and 503, from the server; 502 and 504 from a proxy before it: try again later."""

    passing = True


class NotReached(Problem):
    """504: `min_position` was not reached in time; `as_of` says how far it came."""


class EventError(ClientError, ValueError):
    """An event that no server would take. `field` is the attribute, "" for the whole."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"`{field}` {message}" if field else message)
        self.field = field


class Refusal(NamedTuple):
    """An event that the server will never take, and why."""

    event: bytes
    """Its JSON."""
    problem: Problem


class NotPublished(ClientError):
    """`flush` or `close` of a publisher: `waiting` events are not taken yet (without a spool they are lost when the
    process ends), `refused` never will be."""

    def __init__(self, waiting: int, refused: list[Refusal], refusals: int, last: ClientError | None) -> None:
        said = [f"{refusals:,} events were refused, the first because {refused[0].problem}"] if refused else []
        if waiting:
            said.append(f"{waiting:,} events are not published yet" + (f": {last}" if last else ""))
        super().__init__("; ".join(said))
        self.waiting = waiting
        self.refused = refused
        """The first of them; `refusals` counts all."""
        self.refusals = refusals


class QueueFull(ClientError):
    """No more events can wait to be sent."""

    passing = True


class SpoolError(ClientError):
    """The files of a spool: the text says which, what and what to do."""


class SpoolFull(SpoolError, QueueFull):
    """It has reached its bound, or the disk has."""


class SpoolLocked(SpoolError):
    """Another process has it open."""


class SpoolDamaged(SpoolError):
    """A segment before the last holds bytes that were not written so."""


_OF_STATUS: dict[int, type[Problem]] = {
    400: Invalid,
    404: NotFound,
    409: Conflict,
    413: Invalid,
    415: Invalid,
    422: Invalid,
    429: Busy,
    502: Busy,
    503: Busy,
    504: Busy,
}


def problem(status: int, document: Mapping[str, Any], retry_after: float | None, waited: bool) -> Problem:
    """`waited`: the call asked for a position, so that 504 is the answer to it."""
    kind = NotReached if waited and status == 504 else _OF_STATUS.get(status, Problem)
    if document.get("code") == "lease-lost":
        kind = LeaseLost
    return kind(status, document, retry_after)
