"""One batch on its way to the server: what to send next, given what was answered. No network, no clock.

A batch goes as one request. If the server will never take it, the event that it names is taken out and the rest sent
again; where it names none, halves are tried until one event is left. Order is kept: what leaves the batch does so from
its front.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from orchestrator_client.errors import Invalid, Refusal
from orchestrator_client.waiting import Waiting


class Delivery:
    def __init__(self, waiting: Waiting, events: Sequence[bytes]) -> None:
        self._waiting = waiting
        self._parts = deque([list(events)])

    @property
    def part(self) -> list[bytes]:
        """To send now; empty after the last."""
        return self._parts[0] if self._parts else []

    def taken(self) -> int:
        """The part is on the server. How many events that were."""
        count = len(self._parts.popleft())
        self._waiting.done(count)
        return count

    def refused(self, problem: Invalid) -> Refusal | None:
        """The part is never taken: the event to blame, if it is found and at the front. It is done then."""
        part = self._parts.popleft()
        if len(part) == 1:
            refusal = Refusal(part[0], problem)
            self._waiting.refused(refusal)
            self._waiting.done(1)
            return refusal
        index = problem.index
        if index is None or not 0 <= index < len(part):
            index = len(part) // 2
            pieces = [part[:index], part[index:]]
        else:
            pieces = [part[:index], part[index : index + 1], part[index + 1 :]]
        self._parts.extendleft(reversed([piece for piece in pieces if piece]))
        return None
