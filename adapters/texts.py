"""The texts in JSON values."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from adapters.yaml_places import Path


def texts(value: Any, keys: Path = ()) -> Iterator[tuple[Path, str]]:
    """Every one, with where it stands: keys of objects are none of them. `value` is no deeper than JSON may be that
    came from outside."""
    if isinstance(value, str):
        yield keys, value
    elif isinstance(value, dict):
        for key, each in value.items():
            yield from texts(each, (*keys, key))
    elif isinstance(value, list):
        for place, each in enumerate(value):
            yield from texts(each, (*keys, place))
