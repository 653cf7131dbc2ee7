"""What people may ask for a command, and in which states. Pure."""

from __future__ import annotations

from collections.abc import Callable, Container
from typing import Final

from adapters.errors import WrongStateError
from adapters.ledger import Entry, State

CANCELLABLE: Final = frozenset((State.PENDING, State.RETRYING, State.PARKED))

Check = Callable[[Entry], None]
"""Raises WrongStateError."""


def can_redrive(targets: Container[str]) -> Check:
    def check(entry: Entry) -> None:
        if entry.state is not State.PARKED:
            raise WrongStateError(entry.command.id, entry.state, "only parked commands are redriven")
        if entry.command.to not in targets:
            raise WrongStateError(entry.command.id, entry.state, no_target(entry.command.to))

    return check


def can_cancel(entry: Entry) -> None:
    if entry.state not in CANCELLABLE:
        raise WrongStateError(entry.command.id, entry.state, "only what waits or is parked can be cancelled")


def no_target(target: str) -> str:
    return f"there is no target `{target}`: declare it in the targets file, restart, and redrive"
