"""Verification finds whatever is not as the events make it, says what it is, and is clean when nothing is wrong."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Callable
from typing import Literal

import msgspec
import pytest

from replay.difference import Kind
from replay.verify import Verification, verify
from streams import outputs as outs
from streams.backends.limits import LogLimits
from streams.backends.open import open_log
from streams.event import CANCELLING, EXPIRING, OUTSIDE, REDRIVEN, UNPARKED, control
from streams.intake import Intake
from streams.keys import partition_of
from streams.log import Append, LogError
from streams.outputs import Asked, Command, Decision, Derived, Forward
from streams.processor import Poisoned
from streams.state import Change, decode_cell, decode_changes, encode_cell, encode_changes
from tests.agent.running import Running
from tests.replay.conftest import NOW, History, fines_events, fines_processor

END = NOW
DELTAS = (
    "SELECT id, body FROM deltas WHERE id >> 44 IN (SELECT slot FROM slots WHERE processor = 'rules') ORDER BY id DESC"
)
Make = Callable[..., History]


def check(history: History) -> Verification:
    return verify(history.log, history.load)


@pytest.fixture
def decided(history: Make) -> History:
    return history().decide(fines_events(400), tick=END)


def test_a_history_that_nobody_touched_is_clean(decided: History) -> None:
    found = check(decided)
    assert found.clean, found.text()
    assert found.difference is None
    shown = found.document()
    assert shown["commands"] == len(decided.commands()) > 20
    assert shown["events"] == sum(status.tail for status in decided.log.status())
    assert {type(output) for output in decided.running.outputs()} == {Command, Derived, Forward}
    assert found.text().startswith("Clean: ")
    json.dumps(shown)


def test_an_empty_log_is_clean(tmp_path: object) -> None:
    with_nothing = open_log("memory://", partitions=3, now=lambda: NOW)
    found = verify(with_nothing, lambda document: fines_processor())
    assert found.clean
    assert found.document()["events"] == 0


def test_a_history_in_memory_is_verified_too() -> None:
    log = open_log("memory://", partitions=2, now=lambda: NOW)
    processor = fines_processor()
    log.put_document(processor.digest, processor.ruleset.document)
    Running(log, processor, lambda: NOW).activate(importing=True).publish(*fines_events(50)).settle()
    assert verify(log, lambda document: processor).clean


def test_rows_that_were_flushed_to_their_table_are_verified_too(history: Make) -> None:
    limits = LogLimits(overlay_rows=20, flush_rows=10)
    made = history(limits=limits).decide(fines_events(200)).decide(fines_events(400)[200:], tick=END)
    db = sqlite3.connect(made.path)
    assert db.execute("SELECT count(*) FROM rows").fetchone()[0] > 0
    db.close()
    assert check(made).clean


def test_verification_says_how_far_it_is(decided: History) -> None:
    told = []
    verify(decided.log, decided.load, told.append)
    total = sum(status.tail for status in decided.log.status())
    assert told[-1].done == told[-1].total == total
    assert [progress.done for progress in told] == sorted(progress.done for progress in told)


def test_a_duplicate_a_parked_and_an_unparked_event_are_verified(
    history: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = history()
    events = fines_events(60)
    bad = events[7]
    fails = True
    step = type(made.processor).step

    def poisoned(self, batch, each):  # type: ignore[no-untyped-def]
        for offset, event in zip(batch.offsets, batch.events, strict=True):
            if fails and event.id == bad.id:
                raise Poisoned(offset, event, "made to fail")
        step(self, batch, each)

    monkeypatch.setattr(type(made.processor), "step", poisoned)
    made.decide([*events, events[3]])
    assert any(isinstance(output, Decision) for output in made.running.outputs())
    assert check(made).clean
    # A replay that does not fail where the first run failed comes to something else.
    fails = False
    found = check(made)
    assert found.difference is not None
    fails = True
    partition = partition_of(bad.key, 3)
    made.log.append([Append(partition, [control(UNPARKED, {}, time=0, key=bad.key)])])
    made.running.settle()
    assert check(made).clean


@pytest.mark.parametrize(
    ("type", "action", "more"),
    [
        (REDRIVEN, "redrive", {}),
        (CANCELLING, "cancel", {"reason": "a mistake"}),
        (EXPIRING, "expire", {"reason": "too old"}),
    ],
)
def test_what_people_ask_for_commands_is_verified(
    decided: History, type: str, action: Literal["redrive", "cancel", "expire"], more: dict[str, str]
) -> None:
    partition, command = decided.commands()[0]
    decided.log.append([Append(partition, [control(type, {"ids": [command.id], **more}, time=0, key=command.key)])])
    decided.running.settle()
    asked = decided.log.outputs(partition, 0, 10**6)[1][-1]
    assert asked == Asked(action, (command.id,), more.get("reason", ""), decided.log.tail(partition))
    assert check(decided).clean


# ------------------------------------------------------------ what is tampered with


def tamper_delta(name: str, change: Callable[[bytes], bytes | None]) -> Callable[[sqlite3.Connection], bool]:
    """Changes the newest delta of a row."""

    def tamper(db: sqlite3.Connection) -> bool:
        for id, body in db.execute(DELTAS).fetchall():
            changes = decode_changes(body)
            for place, each in enumerate(changes):
                if each.name == name and each.value is not None:
                    changes[place] = Change(name, change(each.value), each.due)
                    db.execute("UPDATE deltas SET body = ? WHERE id = ?", (encode_changes(changes), id))
                    return True
        return False

    return tamper


def tamper_outputs(
    history: History, partition: int, change: Callable[[list[outs.Output]], list[outs.Output]]
) -> Callable[[sqlite3.Connection], bool]:
    """Rewrites the first batch of outputs with a command in it, and moves those behind it."""

    def tamper(db: sqlite3.Connection) -> bool:
        query = "SELECT id, count, body FROM outputs WHERE id >> 44 = ? ORDER BY id"
        batches = db.execute(query, (partition,)).fetchall()
        shift, tampered = 0, False
        db.execute("DELETE FROM outputs WHERE id >> 44 = ?", (partition,))
        for id, count, body in batches:
            found = outs.decode(body)
            if not tampered and any(isinstance(output, Command) for output in found):
                found, tampered = change(found), True
                shift = len(found) - count
            if found:
                db.execute("INSERT INTO outputs VALUES (?, ?, ?)", (id + shift, len(found), outs.encode(found)))
        return tampered

    return tamper


def with_command(found: list[outs.Output], change: Callable[[Command], list[outs.Output]]) -> list[outs.Output]:
    at = next(place for place, output in enumerate(found) if isinstance(output, Command))
    command = found[at]
    assert isinstance(command, Command)
    return [*found[:at], *change(command), *found[at + 1 :]]


def test_a_changed_row_is_found_and_both_versions_are_shown(decided: History) -> None:
    partition, command = decided.commands()[0]

    def richer(value: bytes) -> bytes:
        cell = decode_cell(value)
        for row in cell.rows.values():
            row["amount"] = 1_000_000
        return encode_cell(cell)

    decided.tamper(tamper_delta("k" + command.key, richer))
    found = check(decided)
    assert not found.clean
    difference = found.difference
    assert difference is not None
    assert (difference.kind, difference.partition) == (Kind.ROW, partition)
    assert difference.name == "k" + command.key
    assert "1000000" in json.dumps(difference.document()["stored"])
    assert "1000000" not in json.dumps(difference.document()["expected"])
    assert command.key in found.text()


def test_a_row_that_is_gone_is_found(decided: History) -> None:
    _, command = decided.commands()[0]
    decided.tamper(tamper_delta("k" + command.key, lambda value: None))
    difference = check(decided).difference
    assert difference is not None
    assert (difference.kind, difference.name, difference.stored) == (Kind.ROW, "k" + command.key, None)
    assert "missing" in difference.message


def test_a_row_that_no_event_made_is_found(decided: History) -> None:
    def invent(db: sqlite3.Connection) -> bool:
        id, body = db.execute(DELTAS + " LIMIT 1").fetchone()
        changes = [
            *decode_changes(body),
            Change("kINVENTED", encode_cell(decode_cell(msgspec.msgpack.encode([])))),
        ]
        return bool(db.execute("UPDATE deltas SET body = ? WHERE id = ?", (encode_changes(changes), id)).rowcount)

    decided.tamper(invent)
    difference = check(decided).difference
    assert difference is not None
    assert (difference.kind, difference.name, difference.expected) == (Kind.ROW, "kINVENTED", None)


def test_a_row_that_is_no_cell_is_shown_as_bytes(decided: History) -> None:
    _, command = decided.commands()[0]
    decided.tamper(tamper_delta("k" + command.key, lambda value: b"\xc1\xc1"))
    difference = check(decided).difference
    assert difference is not None
    assert "cannot be decoded" in difference.stored


def test_the_partitions_own_row_is_verified(decided: History) -> None:
    decided.tamper(tamper_delta("p", lambda value: msgspec.msgpack.encode([5, False, "x", 0])))
    difference = check(decided).difference
    assert difference is not None
    assert (difference.kind, difference.name) == (Kind.ROW, "p")
    assert "the partition's own state" in difference.message


def test_a_forgotten_deadline_is_found_even_if_the_row_is_right(history: Make) -> None:
    limits = LogLimits(overlay_rows=20, flush_rows=1_000)
    made = history(partitions=1, limits=limits).decide(fines_events(300)).decide(fines_events(301)[300:])
    made.tamper(
        lambda db: (
            db.execute("DELETE FROM dues WHERE rowid IN (SELECT 1)").rowcount
            if False
            else db.execute(
                "DELETE FROM dues WHERE (slot, due, name) IN (SELECT slot, due, name FROM dues LIMIT 1)"
            ).rowcount
        )
    )
    difference = check(made).difference
    assert difference is not None
    assert difference.kind is Kind.DUE


def test_a_command_with_other_args_is_found(decided: History) -> None:
    partition, command = decided.commands()[0]

    def richer(found: Command) -> list[outs.Output]:
        return [msgspec.structs.replace(found, args={**found.args, "amount": 9_999})]

    decided.tamper(tamper_outputs(decided, partition, lambda found: with_command(found, richer)))
    difference = check(decided).difference
    assert difference is not None
    assert (difference.kind, difference.name, difference.partition) == (Kind.COMMAND, command.id, partition)
    assert difference.offset == command.offset
    assert difference.stored["args"]["amount"] == 9_999
    assert difference.expected["args"] == command.args
    for part in (command.id, "penalty-due", command.key):
        assert part in difference.text()


def test_a_command_set_in_shadow_is_found(decided: History) -> None:
    partition, command = decided.commands()[0]
    decided.tamper(
        tamper_outputs(
            decided,
            partition,
            lambda found: with_command(found, lambda each: [msgspec.structs.replace(each, shadow=True)]),
        )
    )
    difference = check(decided).difference
    assert difference is not None
    assert (difference.kind, difference.name) == (Kind.COMMAND, command.id)


def test_a_number_that_became_a_boolean_is_a_difference(decided: History) -> None:
    partition, command = decided.commands()[0]
    decided.tamper(
        tamper_outputs(
            decided,
            partition,
            lambda found: with_command(
                found,
                lambda each: [msgspec.structs.replace(each, args={**each.args, "amount": float(each.args["amount"])})],
            ),
        )
    )
    difference = check(decided).difference
    assert difference is not None
    assert difference.name == command.id


def test_a_command_that_is_gone_is_found(decided: History) -> None:
    partition, command = decided.commands()[0]
    # The first output after it takes its number.
    decided.tamper(tamper_outputs(decided, partition, lambda found: with_command(found, lambda each: [])))
    difference = check(decided).difference
    assert difference is not None
    assert (difference.kind, difference.name, difference.stored) == (Kind.COMMAND, command.id, None)
    assert "missing" in difference.message
    assert difference.expected["rule"] == "penalty-due"


def test_a_command_that_no_event_led_to_is_found(decided: History) -> None:
    partition, command = decided.commands()[0]
    invented = msgspec.structs.replace(command, id="0" * 32, key="NOBODY")
    decided.tamper(tamper_outputs(decided, partition, lambda found: with_command(found, lambda each: [invented, each])))
    difference = check(decided).difference
    assert difference is not None
    assert (difference.kind, difference.name, difference.expected) == (Kind.COMMAND, "0" * 32, None)
    assert "no event led to it" in difference.message


def test_a_command_after_the_last_is_found(decided: History) -> None:
    partition, command = decided.commands()[-1]
    invented = msgspec.structs.replace(command, id="f" * 32)

    def add(db: sqlite3.Connection) -> int:
        base = partition << 44
        last = db.execute("SELECT max(id) FROM outputs WHERE id < ?", (base + (1 << 44),)).fetchone()[0]
        return db.execute("INSERT INTO outputs VALUES (?, 1, ?)", (last + 1, outs.encode([invented]))).rowcount

    decided.tamper(add)
    difference = check(decided).difference
    assert difference is not None
    assert (difference.name, difference.expected) == ("f" * 32, None)


def test_a_changed_derived_event_is_found(decided: History) -> None:
    def tamper(db: sqlite3.Connection) -> bool:
        for id, body in db.execute("SELECT id, body FROM outputs ORDER BY id").fetchall():
            found = outs.decode(body)
            for place, output in enumerate(found):
                if isinstance(output, Derived):
                    event = msgspec.structs.replace(output.event, data=msgspec.Raw(b'{"of":"another"}'))
                    found[place] = msgspec.structs.replace(output, event=event)
                    db.execute("UPDATE outputs SET body = ? WHERE id = ?", (outs.encode(found), id))
                    return True
        return False

    decided.tamper(tamper)
    difference = check(decided).difference
    assert difference is not None
    assert difference.kind is Kind.OUTPUT
    assert "derived" in difference.message
    assert difference.offset > 0


def tamper_event(type: str, old: bytes, new: bytes) -> Callable[[sqlite3.Connection], bool]:
    def tamper(db: sqlite3.Connection) -> bool:
        for id, body in db.execute("SELECT id, body FROM entries ORDER BY id").fetchall():
            lines = body.split(b"\n")
            for place, line in enumerate(lines):
                if line.startswith(b'["%s"' % type.encode()) and old in line:
                    lines[place] = line.replace(old, new)
                    db.execute("UPDATE entries SET body = ? WHERE id = ?", (b"\n".join(lines), id))
                    return True
        return False

    return tamper


def test_a_changed_event_is_found_by_what_it_led_to(decided: History) -> None:
    decided.tamper(tamper_event("fine.created", b'"amount":', b'"amount":1'))
    difference = check(decided).difference
    assert difference is not None
    assert difference.kind in (Kind.ROW, Kind.COMMAND, Kind.OUTPUT)
    assert difference.expected != difference.stored


def test_an_event_that_cannot_be_read_any_more_is_found(decided: History) -> None:
    decided.tamper(tamper_event("fine.created", b'["fine', b"[fine"))
    difference = check(decided).difference
    assert difference is not None


def test_lost_events_are_found(decided: History) -> None:
    decided.tamper(lambda db: db.execute("DELETE FROM entries WHERE id = (SELECT max(id) FROM entries)").rowcount)
    difference = check(decided).difference
    assert difference is not None
    assert difference.kind in (Kind.HISTORY, Kind.STORAGE)


def test_outputs_that_cannot_be_read_are_a_difference_of_storage(decided: History) -> None:
    decided.tamper(
        lambda db: db.execute("UPDATE outputs SET body = x'00ff' WHERE id = (SELECT min(id) FROM outputs)").rowcount
    )
    found = check(decided)
    assert found.difference is not None
    assert found.difference.kind is Kind.STORAGE


def test_a_rule_set_that_is_not_stored_any_more_is_found(decided: History) -> None:
    decided.tamper(lambda db: db.execute("DELETE FROM documents").rowcount)
    difference = check(decided).difference
    assert difference is not None
    assert difference.kind is Kind.HISTORY
    assert decided.processor.digest in difference.message


# ------------------------------------------------------------ delivery


def test_commands_that_delivery_has_not_reached_yet_are_no_difference(decided: History) -> None:
    partition, _ = decided.commands()[0]
    ids = [command.id for at, command in decided.commands() if at == partition]
    decided.deliver(partition, ids[:2])
    assert check(decided).clean
    decided.deliver(partition, ids[2:], end=2)
    assert check(decided).clean


def test_a_command_that_delivery_passed_over_is_found(decided: History) -> None:
    partition, first = decided.commands()[0]
    ids = [command.id for at, command in decided.commands() if at == partition]
    decided.deliver(partition, ids[1:])
    difference = check(decided).difference
    assert difference is not None
    assert (difference.kind, difference.name, difference.offset) == (Kind.DELIVERY, first.id, first.offset)


def test_a_command_that_only_delivery_knows_is_found(decided: History) -> None:
    partition, _ = decided.commands()[0]
    decided.deliver(partition, ["0" * 32])
    difference = check(decided).difference
    assert difference is not None
    assert (difference.kind, difference.name) == (Kind.DELIVERY, "0" * 32)


# ------------------------------------------------------------ beside a running server


def test_verification_is_clean_while_events_are_decided(history: Make) -> None:
    made = history()
    made.decide(fines_events(100))
    results: list[Verification] = []
    errors: list[BaseException] = []
    stop = threading.Event()

    def again_and_again() -> None:
        try:
            while not stop.is_set():
                results.append(check(made))
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=again_and_again)
    thread.start()
    events = fines_events(700)
    for begin in range(100, 700, 100):
        made.decide(events[begin : begin + 100])
    stop.set()
    thread.join(timeout=30)
    assert not errors
    assert len(results) >= 2
    assert all(result.clean for result in results), [result.text() for result in results if not result.clean]
    positions = [result.document()["events"] for result in results]
    assert positions == sorted(positions)
    assert positions[0] < positions[-1]


def test_a_replay_changes_nothing(decided: History) -> None:
    before = decided.log.status()
    check(decided)
    assert decided.log.status() == before


def test_what_makes_rule_sets_may_fail_loudly(decided: History) -> None:
    def load(document: bytes) -> None:
        raise LogError("cannot be compiled by this version")

    difference = verify(decided.log, load).difference  # type: ignore[arg-type]
    assert difference is not None
    assert "cannot be compiled by this version" in difference.message


def test_events_keep_their_kind(decided: History) -> None:
    intake = Intake(max_ahead=None)
    assert intake.from_json(b'{"id":"1","source":"s","type":"t"}', 1).kind == OUTSIDE
