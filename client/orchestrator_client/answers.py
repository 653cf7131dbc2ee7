"""What the server answers, typed. Commands and partitions stay what their JSON is: docs/http.md names their members."""

from __future__ import annotations

from typing import Any, NamedTuple


class Published(NamedTuple):
    accepted: int
    positions: list[str]
    """Of each event, `generation.partition.offset`, in the order given."""

    @property
    def place(self) -> str:
        """The newest position of each partition, with commas between: what a query takes as `min_position`."""
        newest: dict[str, tuple[int, str]] = {}
        for position in self.positions:
            partition, offset = position.split(".")[1:]
            newest[partition] = max((int(offset), position), newest.get(partition, (-1, "")))
        return ",".join(position for _, position in newest.values())


class Row(NamedTuple):
    key: str
    fields: dict[str, Any] | None
    """None: there is no row of this key."""
    as_of: str
    """The position up to which this is true. In a list there is one for each partition, with commas between."""


class Page(NamedTuple):
    rows: list[Row]
    next: str | None
    """The cursor of the next page; None after the last."""
    as_of: str


class Followed(NamedTuple):
    position: str
    event: dict[str, Any]
    place: str
    """Where the stream is in every partition: `follow(after=…)` goes on behind it."""


class Watched(NamedTuple):
    """A list, and what is new in it since the last time."""

    rows: list[Row]
    put: list[Row]
    """Those that came or changed."""
    gone: list[str]
    """Keys of those that are on the list no more."""
    as_of: str
