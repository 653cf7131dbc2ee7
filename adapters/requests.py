"""What people may ask for a command, and in which states. Pure."""

from __future__ import annotations

from collections.abc import Container
from typing import Final

from adapters.errors import WrongStateError
from adapters.ledger import Entry, State

CANCELLABLE: Final = frozenset((State.PENDING, State.RETRYING, State.WAITING, State.PARKED))

OTHER_STATES: Final = "pending, retrying, waiting and parked commands can be cancelled"
TOO_LATE_TO_EXPIRE: Final = "pending, retrying, waiting and parked commands can be made to expire"


def check_redrive(entry: Entry, targets: Container[str]) -> None:
    """Raises WrongStateError."""
    if entry.state is not State.PARKED:
        raise WrongStateError(entry.command.id, entry.state, "only parked commands are redriven")
    if entry.command.to not in targets:
        raise WrongStateError(entry.command.id, entry.state, no_target(entry.command.to))


def check_cancel(entry: Entry) -> None:
    """Raises WrongStateError."""
    _check_waits(entry, OTHER_STATES)


def check_expire(entry: Entry) -> None:
    """Raises WrongStateError."""
    _check_waits(entry, TOO_LATE_TO_EXPIRE)


def _check_waits(entry: Entry, states: str) -> None:
    if entry.state is State.IN_FLIGHT:
        raise WrongStateError(entry.command.id, entry.state, "it is being sent; wait until that attempt has ended")
    if not may_cancel(entry):
        raise WrongStateError(entry.command.id, entry.state, states)


def may_redrive(entry: Entry, targets: Container[str]) -> bool:
    return entry.state is State.PARKED and entry.command.to in targets


def may_cancel(entry: Entry) -> bool:
    return entry.state in CANCELLABLE


def no_target(target: str) -> str:
    return f"there is no target `{target}`: declare it in the targets file, restart, and redrive"
