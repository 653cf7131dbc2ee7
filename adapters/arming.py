"""Whether a partition delivers at all: disarmed after a restore, armed once somebody has confirmed what would be sent.

One row of the partition's state says it, so it holds for every process and survives restarts. Of two moments the later
one counts: what was confirmed before a log was restored, and came back with it, confirms nothing of the restore.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from adapters.ledger import DELIVERY
from streams.log import Log

ARMING: Final = "#armed"
"""The name of the row."""


class Arming(msgspec.Struct, array_like=True, frozen=True):
    armed: bool
    at: int
    """Microseconds since 1970."""


def stored(arming: Arming) -> tuple[str, bytes]:
    """Name and value of the row."""
    return ARMING, msgspec.json.encode(arming)


def restored(rows: Mapping[str, bytes], since: int) -> Arming | None:
    """What holds for a process that was told to be disarmed `since` then (0: it was not); None for a partition that
    never was. Raises msgspec.MsgspecError for a row that is none."""
    row = rows.get(ARMING)
    arming = msgspec.json.decode(row, type=Arming) if row is not None else None
    return Arming(False, since) if since > (arming.at if arming is not None else 0) else arming


def confirmed(arming: Arming | None, until: int, now: int) -> Arming | None:
    """The change that it makes when people confirm every disarming up to `until`."""
    if arming is not None and arming.at > until:
        return None
    return Arming(True, max(now, until + 1))


def look(log: Log, since: int) -> list[Arming | None]:
    """Of each partition, as any process can read it."""
    every = range(log.info.partitions)
    return [restored(log.rows(partition, DELIVERY, [ARMING]), since) for partition in every]
