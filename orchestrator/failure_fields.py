"""Where something failed, as fields of a log line: `delivery of partition 3`, `target bank`."""

from __future__ import annotations

import re
from typing import Any, Final

_PARTITION: Final = re.compile(r"\bpartition ([0-9]+)$")
_TARGET: Final = "target "


def fields(where: str) -> dict[str, Any]:
    found: dict[str, Any] = {"part": where}
    if partition := _PARTITION.search(where):
        found["partition"] = int(partition[1])
    elif where.startswith(_TARGET):
        found["target"] = where.removeprefix(_TARGET)
    return found
