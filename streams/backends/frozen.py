"""The half of a snapshot that changes nothing: what would write is refused, the same for every backend."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import NoReturn

from streams.backends.one_by_one import OneByOne
from streams.log import AGENT, Append, Commit, Lease, Log, LogError, Role


class Frozen(OneByOne):
    def snapshot(self) -> AbstractContextManager[Log]:
        raise LogError("this is a snapshot of the log already")

    def close(self) -> None:
        """Ends with the `with` block that made it."""

    def append(self, appends: Sequence[Append]) -> NoReturn:
        self._refuse()

    def beat(self, member: str, role: Role, caught_up: Mapping[int, int], ttl: float) -> NoReturn:
        self._refuse()

    def leave(self, member: str, role: Role) -> NoReturn:
        self._refuse()

    def acquire(self, partition: int, owner: str, ttl: float, role: Role = AGENT) -> NoReturn:
        self._refuse()

    def renew(self, lease: Lease, ttl: float) -> NoReturn:
        self._refuse()

    def release(self, lease: Lease) -> NoReturn:
        self._refuse()

    def commit(self, commit: Commit) -> NoReturn:
        self._refuse()

    def forget(self, partition: int, processor: str, upto: int) -> NoReturn:
        self._refuse()

    def put_document(self, digest: str, body: bytes) -> NoReturn:
        self._refuse()

    def _refuse(self) -> NoReturn:
        raise LogError("this is a snapshot of the log: it can only be read")
