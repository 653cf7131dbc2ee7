"""What was said so far where no answer has fitted the schema yet. It stands in the ledger, so that a question is asked
again so many times and no more, whatever fails or dies meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import msgspec
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage

from adapters.targets.langchain.asking import Reply, Used

MOST: Final = 32 * 1024
"""Bytes of answers that are kept: the newest."""
LONGEST: Final = 4 * 1024
"""Characters of one that has more than that by itself."""


class Misfit(msgspec.Struct, frozen=True):
    said: str
    wrong: str


class Repairs(msgspec.Struct, frozen=True):
    """As it stands in the ledger: what answers there were, and what they took."""

    count: int = 0
    misfits: list[Misfit] = []
    input: int = 0
    output: int = 0
    calls: int = 0
    seconds: float = 0.0

    @classmethod
    def read(cls, progress: bytes) -> Repairs:
        return msgspec.json.decode(progress, type=cls) if progress else cls()

    def used(self) -> Used:
        return Used(self.input, self.output, self.calls)

    def after(self, reply: Reply, used: Used, seconds: float) -> dict[str, Any]:
        """With one more, as JSON values."""
        misfits = [*self.misfits, Misfit(reply.said, reply.misfit)]
        while len(misfits) > 1 and _size(misfits) > MOST:
            del misfits[0]
        if _size(misfits) > MOST:
            misfits = [Misfit(reply.said[:LONGEST], reply.misfit)]
        found: dict[str, Any] = msgspec.to_builtins(
            Repairs(self.count + 1, misfits, used.input, used.output, used.calls, seconds)
        )
        return found

    def conversation(self) -> Iterator[BaseMessage]:
        """As texts, so that no provider misses the result of a tool."""
        for each in self.misfits:
            yield AIMessage(each.said)
            yield HumanMessage(
                f"Your answer does not fit the schema: {each.wrong}. Answer again, with nothing but what fits."
            )


def _size(misfits: list[Misfit]) -> int:
    return len(msgspec.json.encode(misfits))
