"""A commit as the arguments of its script."""

from __future__ import annotations

from typing import Final

import msgspec

from streams import outputs as outs
from streams.backends.entries import pieces
from streams.backends.redis.dues import score
from streams.backends.redis.keys import PartitionKeys
from streams.backends.redis.nodes import Argument, Call
from streams.backends.redis.scripts import script
from streams.log import Commit
from streams.state import NEVER

_COMMIT: Final = script("commit")
_encode: Final = msgspec.msgpack.Encoder().encode
decode_names: Final = msgspec.msgpack.Decoder(list[str]).decode
"""What an entry of a feed holds."""


def commit_call(keys: PartitionKeys, commit: Commit, clock: str, feed_bytes: int) -> Call:
    """Raises what msgspec raises for outputs and events that cannot be written as JSON."""
    newest = {change.name: change for change in commit.changes}
    groups: dict[str, tuple[list[Argument], list[Argument]]] = {}
    dues: list[Argument] = []
    for name, change in newest.items():
        letter = name[:1]
        if letter not in groups:
            groups[letter] = ([], [])
        rows, gone = groups[letter]
        if change.value is None:
            gone.append(name)
        else:
            rows += (name, change.value)
            if change.due < NEVER:
                dues += (score(change.due), name)
    results = pieces(commit.events)
    lease, processor = commit.lease, commit.processor
    arguments: list[Argument] = [clock, lease.role, lease.owner, lease.epoch, processor, commit.start, commit.end]
    arguments += (feed_bytes, len(newest), _encode(list(newest)) if newest else b"")
    arguments += (len(commit.outputs), outs.encode(commit.outputs) if commit.outputs else b"", len(results))
    for piece in results:
        arguments += (piece.events, piece.body)
    arguments.append(len(dues) // 2)
    arguments += dues
    for letter, (rows, gone) in groups.items():
        arguments += (letter, len(rows) // 2, len(gone))
        arguments += rows
        arguments += gone
    hashes = [keys.rows(processor, letter) for letter in groups]
    return _COMMIT.call([keys.meta, keys.log, keys.out, keys.feed(processor), keys.due(processor), *hashes], arguments)
