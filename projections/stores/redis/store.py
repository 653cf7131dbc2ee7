"""Query tables in Redis, beside the log whose tables they are (`layout.py`): every process reads the same.

Each write is one script in the slot of its partition: it compares the position, writes and moves it, but only in the
run of the server's data in which the position was read: after a failover the same position may stand for other commits.
All writes of a call go to the servers together. While something is replaced, `held` keeps others from writing; a
builder that died is waited for as long as SILENCE. Units that are not written any more, because no rules have their
projection, go when something is replaced after UNUSED.

Errors are those of the connections to the log, in the words of query tables: QueryStoreUnavailable where repeating may
help, a full memory among them, else QueryStoreError. Waits are bounded as the log's are (`timeout` in its URL).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TypeVar

from projections.store import (
    CommandFilter,
    Listed,
    Listing,
    Place,
    QueryStoreBusy,
    QueryStoreError,
    QueryStoreUnavailable,
    RowPlace,
    RowQuery,
    Write,
)
from projections.stores.redis import lists
from projections.stores.redis.layout import (
    COMMANDS,
    HEAD,
    Layout,
    command_value,
    conditions,
    digest,
    place_bytes,
    read_place,
    unit,
)
from projections.stores.redis.rows import read_row, row_value
from projections.table import DELIVERY, RULES, CommandRow, QueryTable, RowChange
from streams.backends.redis.keys import LogKeys
from streams.backends.redis.nodes import Argument, Call, Reply
from streams.backends.redis.partitions import Partitions
from streams.backends.redis.scripts import script
from streams.backends.redis.servers import RedisServers
from streams.backends.redis.url import RedisOptions
from streams.log import LogError, LogFull, LogInfo, LogUnavailable

SILENCE: Final = 30.0
"""Seconds after which a replacement that nothing is added to counts as given up."""
UNUSED: Final = 7 * 86_400
"""Seconds."""
LOOKS: Final = 5_000
"""Commands that one script looks at, at most: a few milliseconds in which the server does nothing else."""
STEP: Final = 2_000
"""Rows that one script adds to a replacement."""
_HERE: Final = Path(__file__).parent
_WRITE: Final = (_HERE / "write.lua").read_text()
_APPLY: Final = script("apply", _HERE, _WRITE)
_BEGIN: Final = script("begin", _HERE)
_ADD: Final = script("add", _HERE, _WRITE)
_FINISH: Final = script("finish", _HERE)
_ROW: Final = script("row", _HERE)
_LIST: Final = script("list", _HERE)
_SILENCE: Final = int(SILENCE * 1000)
_Item = TypeVar("_Item")


class QueryStore:
    """Raises QueryStoreError, from here on and from every method."""

    def __init__(self, options: RedisOptions, info: LogInfo, tables: Sequence[QueryTable]) -> None:
        self.info = info
        self.tables = tuple(tables)
        self._layout = Layout(options.name, tables)
        with _translated():
            self._servers = RedisServers(options)
            self._partitions = Partitions(self._servers, LogKeys(options.name, info.partitions))
        self._runs: dict[tuple[int, str], bytes] = {}
        """Of the server's data (`forks.py`), when a position was read: what was gathered since is that run's."""

    # -- writing

    def apply(self, writes: Sequence[Write]) -> list[bool]:
        for write in writes:
            if (write.partition, write.processor) not in self._runs:
                self.position(write.partition, write.processor)
        runs = self._ask([(write.partition, self._apply_call(write)) for write in writes])
        for write, run in zip(writes, runs, strict=True):
            if run is not None:
                self._runs[write.partition, write.processor] = run
        return [run is not None for run in runs]

    def _apply_call(self, write: Write) -> Call:
        units = self._layout.units(write.processor)
        run = self._runs[write.partition, write.processor]
        groups = self._groups(write.rows, write.commands, write.gone)
        return _APPLY.call(
            self._keys(write.partition, write.processor), [run, write.start, write.end, len(units), *units, *groups]
        )

    @contextmanager
    def replace(self, partition: int, processor: str) -> Iterator[Replacement]:
        """Built beside what is shown; one script puts it in its place."""
        replacement = Replacement(self, partition, processor)
        try:
            yield replacement
            if replacement.position is None:
                raise QueryStoreError("a replacement ends with its position")
            replacement.finish(replacement.position)
        except BaseException:
            replacement.abandon()
            raise

    def _groups(
        self, rows: Sequence[RowChange], commands: Sequence[CommandRow], gone: Sequence[str]
    ) -> Iterator[Argument]:
        """As `write.lua` reads them."""
        for table in self.tables:
            there = [row for row in rows if row.table.id == table.id]
            put: list[Argument] = [each for row in there if row.text is not None for each in (row.key, row_value(row))]
            names = [row.key for row in there if row.text is None]
            if there:
                yield from ("r", unit(table), len(table.index), len(put) // 2, len(names), *put, *names)
        if commands or gone:
            put = [each for command in commands for each in (command.id, command_value(command))]
            yield from ("c", COMMANDS, 0, len(commands), len(gone), *put, *gone)

    # -- reading

    def position(self, partition: int, processor: str) -> int:
        fields = [f"at:{each}" for each in self._layout.units(processor)]
        run, positions = self._ask(
            [
                (partition, ("HGET", self._partitions[partition].meta, "run")),
                (partition, ("HMGET", self._layout.head(partition), *fields)),
            ]
        )
        self._runs[partition, processor] = run or b""
        return min(int(position or 0) for position in positions)

    def row(self, table: QueryTable, partition: int, key: str) -> tuple[str | None, int]:
        where = unit(table)
        call = _ROW.call([self._layout.head(partition), self._layout.rows(partition, where)], [f"at:{where}", key])
        ((position, row),) = self._ask([(partition, call)])
        return (read_row(table, row)[1] if row is not None else None), int(position or 0)

    def rows(self, table: QueryTable, query: RowQuery, limit: int, after: RowPlace | None = None) -> Listing:
        if not all(condition.spans for condition in query.conditions):
            return Listing([], self.positions(table))
        where = unit(table)

        def keys(partition: int) -> list[Argument]:
            rows = self._layout.rows(partition, where)
            return [self._layout.head(partition), rows, f"{rows}:i"]

        return lists.rows(self._ask, keys, f"at:{where}", table, query, self.info.partitions, limit, after)

    def positions(self, table: QueryTable) -> list[int]:
        field = f"at:{unit(table)}"
        found = self._ask_everywhere(lambda partition: ("HGET", self._layout.head(partition), field))
        return [int(position or 0) for position in found]

    def command(self, id: str) -> str | None:
        """Asks all partitions: an id does not say where its command was decided."""
        found = self._ask_everywhere(lambda partition: ("HGET", self._layout.rows(partition, COMMANDS), id))
        return next((value[HEAD:].decode() for value in found if value is not None), None)

    def commands(self, filter: CommandFilter, limit: int, after: Place | None = None) -> list[Listed]:
        """Merged: of each partition the next ones, until no partition can have any that stand before the last."""
        asked = conditions(filter)
        begins = [place_bytes(after)] if after is not None else []
        if filter.until is not None:
            begins.append(place_bytes(Place(filter.until, "")))
        begin = min(begins, default=b"")
        floor = place_bytes(Place(filter.since, "")) if filter.since is not None else b""
        going = dict.fromkeys(range(self.info.partitions), begin)
        found: list[tuple[bytes, bytes]] = []
        while going:
            calls = [
                (partition, self._list_call(partition, limit, place, floor, asked))
                for partition, place in going.items()
            ]
            for partition, (place, *flat) in zip(list(going), self._ask(calls), strict=True):
                found += zip(flat[::2], flat[1::2], strict=True)
                going[partition] = place
            found = sorted(found, reverse=True)[:limit]
            last = found[-1][0] if len(found) == limit else b""
            going = {partition: place for partition, place in going.items() if place > last}
        return [Listed(read_place(place), summary.decode()) for place, summary in found]

    def _list_call(self, partition: int, limit: int, place: bytes, floor: bytes, asked: Sequence[bytes]) -> Call:
        key = self._layout.rows(partition, COMMANDS)
        return _LIST.call([key, f"{key}:i"], [limit, LOOKS, place, floor, *asked])

    def count(self, table: QueryTable) -> int:
        return self._count(unit(table))

    def count_open(self, targets: Sequence[str], states: Sequence[str]) -> dict[str, dict[str, int]]:
        found = {target: dict.fromkeys(states, 0) for target in targets}
        if not targets or not states:
            return found
        fields = [digest(state) + digest(target) for target in targets for state in states]
        for counts in self._ask_everywhere(
            lambda partition: ("HMGET", f"{self._layout.rows(partition, COMMANDS)}:n", *fields)
        ):
            number = iter(counts)
            for target in targets:
                for state in states:
                    found[target][state] += int(next(number) or 0)
        return found

    def count_commands(self) -> int:
        return self._count(COMMANDS)

    def _count(self, unit: str) -> int:
        return sum(self._ask_everywhere(lambda partition: ("HLEN", self._layout.rows(partition, unit))))

    # -- connections

    def _keys(self, partition: int, processor: str) -> list[Argument]:
        layout = self._layout
        return [layout.head(partition), layout.held(partition, processor), self._partitions[partition].meta]

    def _ask_everywhere(self, call: Callable[[int], Call]) -> list[Reply]:
        return self._ask([(partition, call(partition)) for partition in range(self.info.partitions)])

    def _ask(self, calls: Sequence[tuple[int, Call]], *, repeatable: bool = True) -> list[Reply]:
        """All together, those of one partition in order; one reply each."""
        with _translated():
            by_slot: dict[int, list[int]] = {}
            for place, (partition, _) in enumerate(calls):
                by_slot.setdefault(self._partitions.slots[partition], []).append(place)
            found = self._servers.run_many(
                {slot: [calls[place][1] for place in places] for slot, places in by_slot.items()}, repeatable=repeatable
            )
            replies: list[Reply] = [None] * len(calls)
            for slot, places in by_slot.items():
                for place, reply in zip(places, found[slot], strict=True):
                    replies[place] = reply
            return replies

    def close(self) -> None:
        self._servers.close()


class Replacement:
    """What takes the place of one processor's rows in one partition. Ends by setting `position`."""

    def __init__(self, store: QueryStore, partition: int, processor: str) -> None:
        self.position: int | None = None
        self._store = store
        self._partition = partition
        self._processor = processor
        self._units = store._layout.units(processor)
        self._keys = store._keys(partition, processor)
        begin = _BEGIN.call(self._keys, [_SILENCE, *self._units])
        (self._number,) = store._ask([(partition, begin)], repeatable=False)
        if not self._number:
            raise QueryStoreBusy(f"the query tables of partition {partition} are being made anew already: repeat")

    def add(self, rows: Sequence[RowChange] = (), commands: Sequence[CommandRow] = ()) -> None:
        """Nothing, too: it says that this is still being built."""
        calls = [self._add_call(step, ()) for step in _steps(rows)]
        calls += [self._add_call((), step) for step in _steps(commands)]
        self._hold(self._store._ask([(self._partition, call) for call in calls or [self._add_call((), ())]]))

    def _add_call(self, rows: Sequence[RowChange], commands: Sequence[CommandRow]) -> Call:
        groups = self._store._groups(rows, commands, ())
        return _ADD.call(self._keys, [self._number, _SILENCE, len(self._units), *self._units, *groups])

    def finish(self, position: int) -> None:
        self._hold(self._end(str(position)))

    def abandon(self) -> None:
        """What a failure leaves goes by itself, too, only later."""
        try:
            self._end("")
        except QueryStoreUnavailable:
            pass

    def _end(self, position: str) -> list[Reply]:
        units = self._store._layout.units
        others = [each for of in (RULES, DELIVERY) if of != self._processor for each in units(of)]
        arguments = [self._number, position, UNUSED, len(self._units), *self._units, *others]
        return self._store._ask([(self._partition, _FINISH.call(self._keys, arguments))], repeatable=False)

    def _hold(self, replies: Sequence[Reply]) -> None:
        if not all(replies):
            raise QueryStoreUnavailable(
                f"making the query tables of partition {self._partition} anew took so long that others may write again:"
                " repeat"
            )


def _steps(items: Sequence[_Item]) -> Iterator[Sequence[_Item]]:
    for begin in range(0, len(items), STEP):
        yield items[begin : begin + STEP]


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (LogUnavailable, LogFull) as error:
        raise QueryStoreUnavailable(f"query tables: {error}") from error
    except LogError as error:
        raise QueryStoreError(f"query tables: {error}") from error
