"""Lua scripts, by the hash under which servers remember them.

A script is a file, beside this one or beside who else needs one. Its first line says what the server must know
(`flags=…`), the next ones what its KEYS and ARGV are and what it answers; the functions of `common.lua` are put
before the rest.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from streams.backends.redis.nodes import Argument, Call

_TEXTS: Final[dict[str, str]] = {}
_FOLDER: Final = Path(__file__).parent


class Script:
    """`text` begins with `#!lua`, with flags=allow-oom where it must work in a full memory, flags=no-writes where it
    only reads."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.sha = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
        _TEXTS[self.sha] = text

    def call(self, keys: Sequence[Argument], arguments: Iterable[Argument] = ()) -> Call:
        return ("EVALSHA", self.sha, len(keys), *keys, *arguments)


def in_full(call: Call) -> Call:
    """The same call for a server that does not know the script yet."""
    return ("EVAL", _TEXTS[str(call[1])], *call[2:])


def script(name: str, folder: Path = _FOLDER, functions: str = "") -> Script:
    """The one in `<name>.lua` of a folder, with more functions of its own."""
    first, _, rest = (folder / f"{name}.lua").read_text().partition("\n")
    return Script(f"{first}\n{(_FOLDER / 'common.lua').read_text()}\n{functions}\n{rest}")
