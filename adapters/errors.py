"""What can go wrong with delivery as a whole; what goes wrong with one attempt is an `Outcome`."""

from __future__ import annotations

from collections.abc import Sequence

from adapters.problem import Problem


class DeliveryError(Exception):
    """The text says what and what to do."""


class FencedError(DeliveryError):
    """Somebody else owns the partition now: nothing more is taken from it or noted in it."""


class UnknownCommandError(DeliveryError):
    def __init__(self, id: str) -> None:
        super().__init__(f"there is no command {id}: look it up with `orchestrator commands list`")
        self.id = id


class WrongStateError(DeliveryError):
    """What was asked does not fit the command's state."""

    def __init__(self, id: str, state: str, remedy: str) -> None:
        super().__init__(f"command {id} is {state}: {remedy}")
        self.id = id
        self.state = state


class TargetError(DeliveryError):
    """A targets file is refused, or a target cannot be opened. Names file, line, target and key."""


class LibraryMissingError(TargetError):
    """A kind of target cannot be used because what it builds on is not installed."""


class TargetFileError(TargetError):
    """A targets file is refused; `problems` are all that were found, in the order of the file, at least one."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(each.said for each in problems))
        self.problems = tuple(problems)
