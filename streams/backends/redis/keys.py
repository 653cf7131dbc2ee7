"""How the keys of a log in Redis are called. Those of one partition share a slot, so that one script changes them."""

from __future__ import annotations

from typing import Final

from streams.log import Role

LETTERS: Final = 1
"""How many characters of a row's name say in which hash it lies: what is scanned whole is small and by itself."""


class PartitionKeys:
    def __init__(self, name: str, partition: int) -> None:
        begin = f"{{{name}:{partition}}}:"
        self.begin = begin
        self.meta = begin + "meta"
        """Hash: tail, outputs, committed_at; run and runs (`common.lua`); of each role owner, epoch, ttl and
        expires; of each processor pos; forgot, trimmed and fed of its feed; has, for a letter that rows begin with."""
        self.log = begin + "log"
        """Stream of events; an entry's id is the offset of its last event, `n` how many, `d` JSON lines."""
        self.out = begin + "out"
        """The same of outputs."""
        self.producers = begin + "producers"
        """Hash: the last sequence of each."""

    def rows(self, processor: str, letter: str) -> str:
        """Hash of the rows whose name begins so."""
        return f"{self.begin}rows:{processor}:{letter}"

    def due(self, processor: str) -> str:
        """Sorted set of the names of rows with a due time (`dues.py`)."""
        return f"{self.begin}due:{processor}"

    def feed(self, processor: str) -> str:
        """Stream of the names that each commit changed; an entry's id is the position it led to."""
        return f"{self.begin}feed:{processor}"


class LogKeys:
    """Those that are no partition's."""

    def __init__(self, name: str, partitions: int) -> None:
        begin = f"{{{name}}}:"
        self.log = begin + "log"
        """Hash: id, format, partitions, generation; `fork:<generation>`."""
        self.documents = begin + "documents"
        self.caught_up = begin + "caught_up"
        self.partitions = [PartitionKeys(name, number) for number in range(partitions)]
        self._begin = begin

    def members(self, role: Role) -> str:
        """Sorted set: who lives, until when."""
        return f"{self._begin}members:{role}"
