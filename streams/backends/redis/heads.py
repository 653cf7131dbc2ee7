"""What a partition's `meta` says, apart from its streams and rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from streams.log import AGENT, DELIVERY, PartitionStatus, Role


class Head:
    """Of one moment: `flat` is what HGETALL answered."""

    def __init__(self, flat: Sequence[bytes]) -> None:
        self._fields = {name.decode(): value for name, value in zip(flat[::2], flat[1::2], strict=True)}

    def text(self, name: str) -> bytes | None:
        return self._fields.get(name)

    def number(self, name: str) -> int:
        return int(self._fields.get(name, 0))

    @property
    def positions(self) -> Mapping[str, int]:
        return {name: int(value) for name, value in self._beginning("pos:").items()}

    def letters(self, processor: str) -> list[str]:
        """Which hashes of rows there may be."""
        return list(self._beginning(f"has:{processor}:"))

    def status(self, partition: int, now: int) -> PartitionStatus:
        return PartitionStatus(
            partition,
            self._owner(AGENT, now),
            self.number(f"epoch:{AGENT}"),
            self.number("tail"),
            self.number("outputs"),
            self.positions,
            self.number("committed_at"),
            self._owner(DELIVERY, now),
        )

    def _owner(self, role: Role, now: int) -> str | None:
        owner = self._fields.get(f"owner:{role}")
        return owner.decode() if owner is not None and self.number(f"expires:{role}") > now else None

    def _beginning(self, prefix: str) -> dict[str, bytes]:
        return {name[len(prefix) :]: value for name, value in self._fields.items() if name.startswith(prefix)}
