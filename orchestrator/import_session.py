"""The import that is open, kept in the log, so that any process can go on with it.

Who imports holds partition 0 in the role `import`. The owner of that lease is the file's digest and a secret that only
its client knows; how far the import is is one row of the processor `import`, committed under the lease. A process that
is sent something by a client whose secret fits the row takes the lease over, as the same owner with a newer epoch:
whoever went on with it before is fenced. Who finishes it says so as a member of the role, for as long as it lives.

Everything here blocks: call it in a thread. Raises LogError, and ImportConflict where it says so.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from streams.log import IMPORT, Code, Commit, Lease, Log, LogError
from streams.state import Change

LEASE: Final = 10.0
"""Seconds without a request after which another may take over."""
ROW: Final = "session"
PARTITION: Final = 0

_encode: Final = msgspec.msgpack.Encoder().encode


class ImportConflict(Exception):
    """Another importer is at work, or this one is not where the log is. `retry_after` seconds, if waiting helps."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Session(msgspec.Struct):
    digest: str
    owner: str
    """Of the lease."""
    epoch: int
    state: Literal["open", "finishing", "failed"] = "open"
    last_line: int = 0
    stored: int = 0
    known: int = 0
    """Lines that hold an event: together with `stored` all up to `last_line`."""
    until: int | None = None
    ticks: int = 0
    reason: str = ""

    @property
    def lease(self) -> Lease:
        return Lease(PARTITION, self.owner, self.epoch, IMPORT)

    @property
    def member(self) -> str:
        return f"{self.owner}:{self.epoch}"


_sessions: Final = msgspec.msgpack.Decoder(Session)


class Sessions:
    """Of one process; one thread at a time, but for `read`, `attended` and `renew`."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._epoch = 0
        """The last one that this process acquired."""

    def read(self) -> Session | None:
        """The last one that was opened, whatever became of it."""
        row = self._log.rows(PARTITION, IMPORT, [ROW]).get(ROW)
        return _sessions.decode(row) if row is not None else None

    def open(self, digest: str, secret: str) -> Session:
        """A new one, not saved yet. Raises ImportConflict while another importer holds the lease."""
        owner = _owner(digest, secret)
        lease = self._log.acquire(PARTITION, owner, LEASE, IMPORT)
        if lease is None:
            other = self.read()
            what = "this file is" if other is not None and other.digest == digest else "another file is"
            raise ImportConflict(f"{what} being imported by somebody else: wait until that ends", LEASE)
        self._epoch = lease.epoch
        return Session(digest, owner, lease.epoch)

    def held(self, digest: str, secret: str) -> Session:
        """The one that this client opened. Raises ImportConflict if that is over."""
        session = self.read()
        if session is None or session.owner != _owner(digest, secret):
            raise _over()
        return session

    def adopt(self, session: Session, anew: bool = False) -> Session:
        """The session, held by this process; `anew`: under a newer epoch in any case. Raises ImportConflict if somebody
        else holds the lease."""
        if session.epoch == self._epoch and not anew:
            return session
        lease = self._log.acquire(PARTITION, session.owner, LEASE, IMPORT)
        if lease is None:
            raise _over()
        now = self.read()
        if now is None or now.owner != session.owner:
            # Somebody else had it between the look and the lease, and is done with it.
            self._log.release(lease)
            raise _over()
        self._epoch = now.epoch = lease.epoch
        return now

    def save(self, session: Session) -> None:
        """And renews the lease. Raises ImportConflict if somebody else holds it now."""
        start = self._log.position(PARTITION, IMPORT)
        code = self._log.commit(
            Commit(session.lease, IMPORT, start, start + 1, changes=[Change(ROW, _encode(session))])
        )
        if code is Code.FENCED:
            raise _over()
        if code is not Code.COMMITTED:
            raise LogError(f"the import moved from {start} on while this process held it: {code}")

    def renew(self, session: Session) -> bool:
        return self._log.renew(session.lease, LEASE)

    def release(self, session: Session) -> None:
        self._log.release(session.lease)

    def attend(self, session: Session) -> None:
        """This process finishes it. Raises ImportConflict if somebody else holds the lease now."""
        self._log.beat(session.member, IMPORT, {}, LEASE)
        if not self.renew(session):
            raise _over()

    def attended(self) -> set[str]:
        """Members that finish."""
        return set(self._log.beat("", IMPORT, {}, 0).members)

    def leave(self, session: Session) -> None:
        self._log.leave(session.member, IMPORT)


def _owner(digest: str, secret: str) -> str:
    return f"{digest}:{secret}"


def _over() -> ImportConflict:
    return ImportConflict("this import is not open, or by somebody else: open it anew", 0.0)
