"""A copy of a partition's rows as of one moment, beside commits that go on.

Hashes are read in pages while they change. The feed says which names have changed meanwhile: those are read again,
until few enough are left for a script that reads them, the positions and all else at once. If the feed no longer
reaches back to where the copy began, it begins again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple

from streams.backends.redis.commit import decode_names
from streams.backends.redis.dues import due
from streams.backends.redis.heads import Head
from streams.backends.redis.nodes import Argument, Call
from streams.backends.redis.partitions import Partitions
from streams.backends.redis.rows import dues_of, rows_of
from streams.backends.redis.scripts import script
from streams.log import LogUnavailable

PAGE: Final = 1_000
AT_ONCE: Final = 2_000
"""Names that the last script reads at most: a millisecond or two in which the server does nothing else."""
AT_MOST: Final = 32_000
"""The same where commits are so large and quick that fewer are never left."""
NAMES: Final = 100_000
"""Names of a feed that are looked at in one round."""
ROUNDS: Final = 200
BEGINNINGS: Final = 5
_MOMENT: Final = script("moment")
FEED: Final = script("feed")


class Rows(NamedTuple):
    values: dict[str, bytes]
    dues: dict[str, int]


class Copy(NamedTuple):
    head: Head
    rows: dict[str, Rows]
    """By processor."""


def copy_rows(partitions: Partitions, partition: int, wanted: Callable[[str, str], bool], with_dues: bool) -> Copy:
    """`wanted` says of a processor and a letter whether its rows are copied. Raises LogUnavailable if commits are
    quicker than the copy."""
    for _ in range(BEGINNINGS):
        copy = _Copying(partitions, partition, wanted, with_dues).finish()
        if copy is not None:
            return copy
    raise LogUnavailable(
        f"partition {partition} is too busy to be copied: the names that changed meanwhile do not stay long enough; "
        "repeat when less happens, or raise feed_bytes"
    )


class _Copying:
    def __init__(
        self, partitions: Partitions, partition: int, wanted: Callable[[str, str], bool], with_dues: bool
    ) -> None:
        self._partitions = partitions
        self._partition = partition
        self._keys = partitions[partition]
        self._wanted = wanted
        self._with_dues = with_dues
        self._head = self._read_head()
        self._since = {name: at for name, at in self._head.positions.items() if self._letters(self._head, name)}
        """Of each processor: its rows are as of this position or a later one."""
        self._rows = {name: Rows({}, {}) for name in self._since}

    def _read_head(self) -> Head:
        return Head(self._ask(("HGETALL", self._keys.meta)))

    def _letters(self, head: Head, processor: str) -> list[str]:
        return [letter for letter in head.letters(processor) if self._wanted(processor, letter)]

    def _ask(self, call: Call) -> list[bytes]:
        reply: list[bytes] = self._partitions.ask(self._partition, call)
        return reply

    def finish(self) -> Copy | None:
        """None if it has to begin again."""
        for processor, rows in self._rows.items():
            self._pages(processor, rows)
        for round in range(ROUNDS):
            for processor, rows in self._rows.items():
                if not self._catch_up(processor, rows):
                    return None
            if (copy := self._moment(min(AT_ONCE << round, AT_MOST))) is not None:
                return copy
        return None

    def _pages(self, processor: str, rows: Rows) -> None:
        for letter in self._letters(self._head, processor):
            for name, value in self._scan("HSCAN", self._keys.rows(processor, letter)):
                rows.values[name] = value
        if self._with_dues:
            for name, value in self._scan("ZSCAN", self._keys.due(processor)):
                rows.dues[name] = due(value)

    def _scan(self, command: str, key: str) -> Iterable[tuple[str, bytes]]:
        cursor: Argument = 0
        while True:
            cursor, flat = self._partitions.ask(self._partition, (command, key, cursor, "COUNT", PAGE))
            for name, value in zip(flat[::2], flat[1::2], strict=True):
                yield name.decode(), value
            if int(cursor) == 0:
                return

    def _catch_up(self, processor: str, rows: Rows) -> bool:
        """Reads again what has changed, each name once however often it did; False if that is no longer known."""
        since = self._since[processor]
        position, _, trimmed, more, *entries = self._partitions.ask(
            self._partition,
            FEED.call([self._keys.meta, self._keys.feed(processor)], [processor, since, NAMES]),
        )
        if int(trimmed) > since:
            return False
        changed = {name for names in entries[1::2] for name in decode_names(names)}
        self._read_again(processor, rows, sorted(changed))
        self._since[processor] = int(entries[-2]) if more else int(position)
        return True

    def _read_again(self, processor: str, rows: Rows, names: Sequence[str]) -> None:
        where = (self._partitions, self._partition, processor, names)
        values, dues = rows_of(*where), dues_of(*where) if self._with_dues else {}
        for name in names:
            self._put(processor, rows, name, values.get(name), dues.get(name))

    def _put(self, processor: str, rows: Rows, name: str, value: bytes | None, moment: int | None) -> None:
        if value is None or not self._wanted(processor, name[:1]):
            rows.values.pop(name, None)
        else:
            rows.values[name] = value
        if moment is None or not self._with_dues:
            rows.dues.pop(name, None)
        else:
            rows.dues[name] = moment

    def _moment(self, names: int) -> Copy | None:
        keys: list[Argument] = [self._keys.meta]
        arguments: list[Argument] = [self._keys.begin, names]
        for processor, since in self._since.items():
            keys += (self._keys.feed(processor), self._keys.due(processor))
            arguments += (processor, since)
        done, *found = self._partitions.ask(self._partition, _MOMENT.call(keys, arguments))
        if not done:
            return None
        head = Head(found[0])
        for (processor, since), trimmed, flat in zip(self._since.items(), found[1::2], found[2::2], strict=True):
            if int(trimmed) > since:
                return None
            rows = self._rows[processor]
            for name, value, score in zip(flat[::3], flat[1::3], flat[2::3], strict=True):
                self._put(processor, rows, name.decode(), value, None if score is None else due(score))
        if any(name not in self._since and self._letters(head, name) for name in head.positions):
            return None  # a processor committed for the first time meanwhile
        return Copy(head, self._rows)
