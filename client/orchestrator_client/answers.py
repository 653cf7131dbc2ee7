"""What the server answers, typed. Commands and partitions stay what their JSON is: docs/http.md names their members."""

from __future__ import annotations

from typing import Any, NamedTuple


class Published(NamedTuple):
    accepted: int
    positions: list[str]
    """Of each event, `generation.partition.offset`, in the order given. One may be handed to a query as
    `min_position`."""


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
    """An event of the log."""

    position: str
    """Following goes on behind it: `after=`."""
    event: dict[str, Any]
