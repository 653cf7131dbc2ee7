"""What query tables hold: the rows of each projection by key, and the commands by id.

The shell makes `QueryTable`s from the active rule set and hands in a decoder for what delivery keeps of a command, so
that nothing here knows rules or adapters.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NamedTuple

KEY: Final = "key"
"""What lists may be sorted and filtered by beside indexed fields; no field is named so (`index` refuses it)."""
RULES: Final = "rules"
DELIVERY: Final = "delivery"
"""The processors whose rows query tables show."""
SETTLED: Final = ("done", "shadow")
"""States of commands that nothing will be done about. Nearly all commands are in one of them: stores need no index that
finds those."""


@dataclass(frozen=True, slots=True)
class QueryTable:
    """One projection. `id` names its rows in `Cell.rows`: the hash of its definition, so an edited projection is
    another table."""

    name: str
    id: str
    index: tuple[str, ...] = ()
    """Fields that queries may filter and sort by."""
    fields: tuple[tuple[str, str], ...] = ()
    """(field, kind) of those that rows can have, as far as the rules say: number, integer, string, boolean, null, list,
    map or any."""

    def kind(self, field: str) -> str:
        return dict(self.fields).get(field, "any")


class RowChange(NamedTuple):
    """A row as it is now; `text` None deletes it. `position` is that of the commit that last touched it."""

    table: QueryTable
    key: str
    text: str | None
    position: int
    codes: tuple[bytes, ...] = ()
    """Of its values (`order.py`) in the fields of the table's `index`; none if it is deleted."""


class CommandRow(NamedTuple):
    """A command as delivery knows it. `summary` is the JSON object that listings answer."""

    id: str
    state: str
    to: str
    rule: str
    key: str
    at: int
    """The firing time, microseconds."""
    number: int
    """Its place in the partition's outputs."""
    summary: str


CommandDecoder = Callable[[str, bytes], CommandRow | None]
"""From a row of delivery's state (name, value) to the command in it; None for rows that are no command. Pure."""
