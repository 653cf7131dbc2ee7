"""A trace as a tree: up to the event that began it, then down to everything that followed.

What followed stands in the outputs of the event's step, in the ledger (commands decided later, by deadlines and
windows, name their cause), in partitions that it was forwarded to, and in the results of its commands. Blocks: call it
in a thread. Raises LogError and QueryStoreError.
"""

from __future__ import annotations

import re
from typing import Any, Final, Literal

import msgspec

from adapters.ledger import Entry, State, find
from orchestrator.outputs_at import outputs_at
from orchestrator.trace.looking import Looking
from orchestrator.trace.nodes import Kind, Node, Trace
from projections.query import CommandFilter, Queries
from streams import rfc3339
from streams.event import ALARM, CONTROL, DERIVED, FALLBACK, FORWARDED, RESULT, TICK, Event, Forwarded
from streams.keys import partition_of
from streams.log import Log
from streams.outputs import Command, Decision, Derived, Forward
from streams.position import Position

ROOTS: Final = 20
"""Trees of one answer."""
NODES: Final = 1_000
"""Nodes of one answer."""
LATER: Final = 1_000
"""Commands of a key among which those are that an event caused later."""
As = Literal["event", "command", "key"]
_COMMAND: Final = re.compile(r"[0-9a-f]{32}", re.ASCII)
_forwarded: Final = msgspec.json.Decoder(Forwarded).decode
_Place = tuple[int, int]
"""Partition and offset."""


def trace(log: Log, queries: Queries, id: str, *, source: str | None = None, what: As | None = None) -> Trace:
    """Of a command, an event (all of this id, or those of `source`), a position, or a key: whichever there is, in that
    order, or as `what` says."""
    made = _Tree(Looking(log), queries, id)
    places = made.places(source, what)
    roots = [made.down(*place) for place in places[:ROOTS]]
    return Trace(id, roots, made.looking.looked, made.looking.complete and made.left > 0 and len(places) <= ROOTS)


class _Tree:
    def __init__(self, looking: Looking, queries: Queries, asked: str) -> None:
        self.looking = looking
        self.left = NODES
        self._log = looking.log
        self._partitions = list(range(self._log.info.partitions))
        self._queries = queries
        self._asked = asked
        self._seen: set[_Place] = set()

    # ------------------------------------------------------------ where it begins

    def places(self, source: str | None, what: As | None) -> list[_Place]:
        """Of the roots, newest first."""
        if what in (None, "command") and _COMMAND.fullmatch(self._asked):
            summary = self._queries.command(self._asked)
            if summary is not None:
                return self._of_command(partition_of(summary["key"], len(self._partitions)), self._asked)
        if what in (None, "event"):
            found = self._of_event(source)
            if found:
                return found
        return self._of_key() if what in (None, "key") else []

    def _of_event(self, source: str | None) -> list[_Place]:
        try:
            position = Position.parse(self._asked)
        except ValueError:
            pass
        else:
            there = position.partition in self._partitions
            if there and 0 < position.offset <= self._log.tail(position.partition):
                return [self._root(position.partition, position.offset)]

        def takes(event: Event) -> bool:
            inner = _inner(event)
            return inner.kind != CONTROL and inner.id == self._asked and source in (None, inner.source)

        found = self.looking.newest(self._partitions, takes, ROOTS + 1)
        return list(dict.fromkeys(self._root(partition, offset) for partition, offset, _ in found))

    def _of_key(self) -> list[_Place]:
        def takes(event: Event) -> bool:
            return event.key == self._asked and (event.kind != CONTROL or event.type == FORWARDED)

        partition = partition_of(self._asked, len(self._partitions))
        found = self.looking.newest([partition], takes, ROOTS + 1)
        return list(dict.fromkeys(self._root(partition, offset) for partition, offset, _ in found))

    def _of_command(self, partition: int, id: str) -> list[_Place]:
        entry = find(self._log, partition, [id]).get(id)
        if entry is None:
            return []
        place = self._cause(partition, entry.command)
        return [self._root(*place)] if place is not None else []

    def _root(self, partition: int, offset: int) -> _Place:
        """Up from here, as far as what is known of causes leads."""
        for _ in range(NODES):
            event = self.looking.event(partition, offset)
            up: _Place | None = None
            if event.type == FORWARDED:
                origin = _forwarded(event.data)
                up = (origin.partition, origin.offset)
            elif event.kind == RESULT:
                id = event.payload()["id"]
                entry = find(self._log, partition, [id]).get(id)
                up = self._cause(partition, entry.command) if entry is not None else None
            if up is None:
                break
            partition, offset = up
        return partition, offset

    def _cause(self, partition: int, command: Command) -> _Place | None:
        """The event that a command names: that of its step, or one before it."""
        event = self.looking.event(partition, command.offset)
        if event.type != TICK and (_inner(event).id == command.cause or self._derived(partition, command)):
            return partition, command.offset

        def takes(event: Event) -> bool:
            return event.key == command.key and _inner(event).id == command.cause

        found = self.looking.newest([partition], takes, 1)
        return (found[0][0], found[0][1]) if found else (partition, command.offset)

    def _derived(self, partition: int, command: Command) -> bool:
        """Whether an event that its step derived caused it."""
        return any(
            isinstance(output, Derived) and output.event.id == command.cause
            for _, output in outputs_at(self._log, partition, command.offset)
        )

    # ------------------------------------------------------------ what followed

    def down(self, partition: int, offset: int) -> Node:
        event = self.looking.event(partition, offset)
        node = self._event(event, self.looking.position(partition, offset))
        if (partition, offset) in self._seen:
            node.note = "shown above"
            return node
        self._seen.add((partition, offset))
        causes = {_inner(event).id: node}
        """Id of an event of this step → its node."""
        commands: set[str] = set()
        for _, output in outputs_at(self._log, partition, offset):
            if self.left <= 0:
                node.note = "more followed: ask for a part of it by its id"
                break
            if isinstance(output, Derived):
                derived = self._event(output.event, None, "derived")
                derived.rule = output.rule
                node.then.append(derived)
                causes[output.event.id] = derived
            elif isinstance(output, Command) and (output.cause in causes or event.type in (ALARM, FALLBACK)):
                commands.add(output.id)
                causes.get(output.cause, node).then.append(self._command(partition, output))
            elif isinstance(output, Forward):
                causes.get(output.event.id, node).then.append(self._arrived(partition, output))
            elif isinstance(output, Decision):
                node.then.append(_decision(output))
        for cause, at in causes.items():
            at.then.extend(self._later(partition, event.key, cause, commands))
        return node

    def _arrived(self, partition: int, forward: Forward) -> Node:
        to = partition_of(forward.key, len(self._partitions))
        there = self.looking.arrival(partition, forward.offset, forward.route, forward.key, to)
        if there is not None:
            return self.down(to, there[0])
        node = self._event(forward.event, None, "forwarded")
        node.key, node.note = forward.key, "it has not arrived, or was not found"
        return node

    def _later(self, partition: int, key: str, cause: str, known: set[str]) -> list[Node]:
        """Commands that an event caused after its own step. Those in another's stead are shown with that one."""
        page = self._queries.commands(CommandFilter(key=key), LATER)
        caused = [each for each in page.commands if each["cause"] == cause]
        instead = {other["id"] for each in caused for other in each.get("fallback", ())}
        ids = [each["id"] for each in caused if each["id"] not in known | instead]
        entries = find(self._log, partition, ids)
        known.update(ids)
        return [self._command(partition, entries[id].command) for id in reversed(ids) if id in entries]

    def _command(self, partition: int, command: Command) -> Node:
        self.left -= 1
        entry = find(self._log, partition, [command.id]).get(command.id) or Entry(command, 0)
        if command.shadow:
            entry.state = State.SHADOW
        node = Node(
            "command",
            command.id,
            command.key,
            _moment(command.at),
            command.command,
            rule=command.rule,
            to=command.to,
            state=entry.state.value,
            attempts=entry.attempts,
            history=[attempt.document() for attempt in entry.history],
            reason=entry.last_error or None,
            data=command.args,
            asked=command.id == self._asked,
        )
        node.then.extend(self._results(partition, entry))
        return node

    def _results(self, partition: int, entry: Entry) -> list[Node]:
        """Events that told what became of it: one, or one for each time it was parked and one more."""
        ended = entry.state in (State.DONE, State.CANCELLED, State.EXPIRED)
        found: list[Node] = []
        after = entry.command.offset
        for _ in range(entry.parked + ended):
            there = self.looking.behind(
                partition, after, lambda event: event.kind == RESULT and event.id.startswith(f"{entry.command.id}.")
            )
            if there is None:
                break
            after = there[0]
            found.append(self.down(partition, after))
        if entry.fell_back:
            asked = f"{entry.command.id}.fallback"
            there = self.looking.behind(partition, entry.command.offset, lambda event: event.id == asked)
            if there is not None:
                found.append(self.down(partition, there[0]))
        return found

    def _event(self, event: Event, position: str | None, kind: Kind | None = None) -> Node:
        self.left -= 1
        inner = _inner(event)
        return Node(
            kind or _kind(event),
            inner.id,
            event.key,
            _moment(inner.time),
            inner.type,
            position=position,
            source=inner.source,
            data=inner.data,
            asked=self._asked in (inner.id, position),
        )


def _inner(event: Event) -> Event:
    return _forwarded(event.data).event if event.type == FORWARDED else event


_KINDS: Final[dict[int, Kind]] = {RESULT: "result", DERIVED: "derived", CONTROL: "control"}


def _kind(event: Event) -> Kind:
    if event.type == FALLBACK:
        return "fallback"
    if event.type == FORWARDED:
        return "forwarded"
    if event.type == TICK:
        return "tick"
    return _KINDS.get(event.kind, "event")


def _decision(decision: Decision) -> Node:
    kinds: dict[str, Kind] = {"parked": "parked", "skipped": "skipped", "looped": "looped", "blocked": "blocked"}
    kind = kinds[decision.verdict]
    return Node(kind, decision.id, decision.key, None, "not evaluated", source=decision.source, reason=decision.reason)


def _moment(micros: int) -> str | None:
    """None for what no text can say."""
    try:
        return rfc3339.format(micros)
    except OverflowError:
        return None


def plain(trace: Trace) -> dict[str, Any]:
    """As JSON."""
    found: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(trace))
    return found
