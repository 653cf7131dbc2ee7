"""What processes of one log say to each other about work: requests and answers, as JSON."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import msgspec

from adapters.turn import Told
from adapters.work import Outcome, Work
from orchestrator.door.registry import Worker


class Asked(NamedTuple):
    """A request for work of one target, as in `adapters.work.WorkSource`."""

    target: str
    limit: int
    ttl: float
    wait: float
    worker: str = ""
    """The name of who asks, for people."""
    ticket: str = ""
    """With which a sibling is told that nothing is waited for any more (`siblings.py`)."""


class Said(NamedTuple):
    """What a worker says of the command it holds. Of the work it is known which lease is meant."""

    work: Work
    outcome: Outcome
    worker: str = ""


class Answer(NamedTuple):
    known: bool
    """Whether it was decided; if not, the partition is not there, or the log did not answer in time."""
    told: Told | None = None
    """What became of the command; None if it was refused."""


NOT_HERE = Answer(False)


class Place(Protocol):
    """Where work is had: this process or a sibling."""

    async def lease(self, asked: Asked) -> list[Work]: ...

    async def settle(self, said: list[Said]) -> list[Answer]:
        """In the same order."""
        ...

    async def workers(self) -> list[Worker]: ...


encode = msgspec.json.encode
works = msgspec.json.Decoder(list[Work])
answers = msgspec.json.Decoder(list[Answer])
asked = msgspec.json.Decoder(Asked)
workers = msgspec.json.Decoder(list[Worker])
ticket = msgspec.json.Decoder(str)
nothing = msgspec.json.Decoder(None)
said = msgspec.json.Decoder(list[Said])
