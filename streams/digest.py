"""Ids that say what caused a thing: BLAKE2b, 128 bits, hex, over a canonical JSON array (RULES.md §6).

The array is `[rule set, rule, key, opening, completing, firing time, place]`: opening and completing are
`[source, id]` of an event, `[start, end]` of a window in microseconds, or null; the time is in microseconds UTC; the
place is the action's index in `then`. The text is UTF-8 JSON without spaces. Test vectors: `docs/ids.md`.
"""

from __future__ import annotations

import hashlib
from typing import Any

import orjson


def firing_id(ruleset: str, rule: str, key: str, opening: Any, completing: Any, at: int, place: int | str) -> str:
    """The id of one action of one firing: the same decision has the same id in every run."""
    text = orjson.dumps([ruleset, rule, key, opening, completing, at, place])
    return hashlib.blake2b(text, digest_size=16).hexdigest()


def content_digest(value: Any) -> str:
    """The digest of a JSON value, keys sorted: equal values have equal digests."""
    return hashlib.blake2b(orjson.dumps(value, option=orjson.OPT_SORT_KEYS), digest_size=16).hexdigest()
