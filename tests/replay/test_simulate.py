"""`simulate` is the reference run: exact, whole or not at all, and clear about what is wrong with its input."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from replay.simulate import SimulateError, SimulateOptions, Summary, simulate
from rules.processor import RulesProcessor
from streams import rfc3339
from tests.replay.conftest import FINES, fines_processor
from tests.rules.compile import building as build


def line(id: str, type: str = "order.placed", key: str = "A", time: str = "2024-01-01T00:00:00Z", **more: Any) -> bytes:
    return msgspec.json.encode({"id": id, "source": "s", "type": type, "subject": key, "time": time, **more}) + b"\n"


def reminder(lateness: int = 0) -> RulesProcessor:
    return build.compiled(
        build.rule(
            "remind",
            "order.placed",
            build.command("remind", "mail", order="${event.subject}"),
            after=48 * build.HOUR,
            unless=build.unless("order.paid"),
        ),
        lateness=lateness,
    )


class Desk:
    """A folder with an events file; `run` simulates over it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.events = folder / "events.jsonl"
        self.out = folder / "out.jsonl"
        self.rejects = folder / "rejects.jsonl"

    def write(self, *lines: bytes) -> Desk:
        self.events.write_bytes(b"".join(lines))
        return self

    def run(self, processor: RulesProcessor | None = None, rejects: bool = False, **options: Any) -> Summary:
        where = SimulateOptions(self.events, self.out, rejects=self.rejects if rejects else None, **options)
        return simulate(processor or reminder(), where)

    def fails(self, **options: Any) -> SimulateError:
        with pytest.raises(SimulateError) as caught:
            self.run(**options)
        assert sorted(path.name for path in self.folder.iterdir()) == ["events.jsonl"], "a failed run leaves nothing"
        return caught.value

    def commands(self) -> list[dict[str, Any]]:
        return [json.loads(text) for text in self.out.read_bytes().splitlines()]

    def rejected(self) -> list[dict[str, Any]]:
        return [json.loads(text) for text in self.rejects.read_bytes().splitlines()]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


# ------------------------------------------------------------ the real thing


@pytest.fixture(scope="module")
def fines(tmp_path_factory: pytest.TempPathFactory) -> tuple[Summary, list[dict[str, Any]]]:
    out = tmp_path_factory.mktemp("fines") / "out.jsonl"
    summary = simulate(fines_processor(), SimulateOptions(FINES, out))
    return summary, [json.loads(text) for text in out.read_bytes().splitlines()]


def test_the_fines_give_their_4635_penalties(fines: tuple[Summary, list[dict[str, Any]]]) -> None:
    summary, commands = fines
    assert (summary.events, summary.commands, summary.firings["penalty-due"]) == (34_724, 4_635, 4_635)
    assert (summary.duplicates, summary.late, summary.rejected) == (0, 0, 0)
    assert len({command["id"] for command in commands}) == len({command["key"] for command in commands}) == 4_635
    a15 = next(command for command in commands if command["key"] == "A15")
    assert list(a15) == ["id", "command", "to", "rule", "key", "at", "cause", "args"]
    assert (a15["at"], a15["args"]) == ("2007-01-27T00:00:00Z", {"fine": "A15", "amount": 42})


def test_every_penalty_is_sixty_days_after_its_notification(fines: tuple[Summary, list[dict[str, Any]]]) -> None:
    _, commands = fines
    with gzip.open(FINES, "rb") as lines:
        times = {event["id"]: event["time"] for event in map(json.loads, lines)}
    for command in commands:
        assert rfc3339.parse(command["at"]) - rfc3339.parse(times[command["cause"]]) == 60 * build.DAY


@pytest.mark.parametrize("partitions", [2, 7, 1024])
def test_the_set_of_commands_is_the_same_for_any_number_of_partitions(
    tmp_path: Path, fines: tuple[Summary, list[dict[str, Any]]], partitions: int
) -> None:
    out = tmp_path / "out.jsonl"
    simulate(fines_processor(), SimulateOptions(FINES, out, partitions=partitions))
    assert [json.loads(text) for text in out.read_bytes().splitlines()] == fines[1]


def test_packed_or_not_is_told_by_content(desk: Desk) -> None:
    text = line("1") + line("2", key="B", time="2024-02-01T00:00:00Z")
    desk.write(text)
    desk.run()
    plain = desk.commands()
    desk.write(gzip.compress(text))
    desk.run()
    assert desk.commands() == plain != []


# ------------------------------------------------------------ time


def test_the_end_of_the_file_moves_the_clock_to_its_greatest_time(desk: Desk) -> None:
    desk.write(line("1"), line("2", "other", "B", "2024-01-03T00:00:00Z"))
    assert desk.run().commands == 1, "due up to and including that time"
    desk.write(line("1"), line("2", "other", "B", "2024-01-02T23:59:59Z"))
    assert desk.run().commands == 0


def test_until_moves_the_clock_further(desk: Desk) -> None:
    desk.write(line("1"))
    assert desk.run().commands == 0
    assert desk.run(until=rfc3339.parse("2024-01-02T23:59:59Z")).commands == 0
    assert desk.run(until=rfc3339.parse("2024-01-03T00:00:00Z")).commands == 1


def test_naive_clocks_are_refuted(desk: Desk) -> None:
    """`A` is paid in time, but `B` had moved a shared clock on before that arrived."""
    desk.write(
        line("1", key="A"),
        line("2", key="B", time="2024-01-05T04:00:00Z"),
        line("3", "order.paid", "A", "2024-01-02T23:00:00Z"),
    )
    ids = []
    for partitions in (1, 7):
        desk.run(partitions=partitions)
        ids.append({command["id"] for command in desk.commands()})
    assert ids[0] == ids[1]
    assert len(ids[0]) == 1


def test_a_tick_in_the_file_moves_the_clock(desk: Desk) -> None:
    tick = line("t", "orchestrator.tick", "", "2024-01-03T00:00:00.000001Z")
    desk.write(line("1"), tick, line("2", "order.paid", "A", "2024-01-02T00:00:00Z"))
    summary = desk.run()
    assert (summary.commands, summary.events) == (1, 2)


def test_lateness_holds_the_clock_back_until_the_end(desk: Desk) -> None:
    desk.write(
        line("1"),
        line("2", "other", "B", "2024-01-03T00:30:00Z"),
        line("3", "order.paid", "A", "2024-01-02T00:00:00Z"),
    )
    assert desk.run(reminder()).commands == 1
    assert desk.run(reminder(lateness=build.HOUR)).commands == 0


# ------------------------------------------------------------ counting


def test_the_second_of_two_events_with_one_id_is_skipped_and_counted(desk: Desk) -> None:
    desk.write(line("1"), line("1", key="B"), line("2", key="C"))
    summary = desk.run(until=rfc3339.parse("2025-01-01T00:00:00Z"))
    assert (summary.events, summary.duplicates, summary.commands) == (2, 1, 2)


def test_rules_that_did_not_fire_and_rules_that_were_not_evaluated_are_in_the_summary(desk: Desk) -> None:
    processor = build.compiled(
        build.rule("fires", "t"),
        build.rule("silent", "never"),
        build.rule("hidden", "t", shadow=True),
        build.rule("off", "t", enabled=False),
        build.rule("fails", "t", when="event.data.amount > 3"),
    )
    desk.write(line("1", "t"), line("2", "t", data={"amount": "x"}))
    summary = desk.run(processor)
    assert summary.firings == {"fires": 2, "silent": 0, "hidden": 2, "fails": 0}
    assert summary.not_evaluated["fails"]["count"] == 2
    assert summary.not_evaluated["fails"]["reason"]
    assert (summary.commands, summary.shadow) == (2, 2)
    shadows = [command for command in desk.commands() if command.get("shadow")]
    assert len(shadows) == 2
    assert all(command["shadow"] is True for command in shadows)
    text = summary.text()
    for part in ("fired fires", "fired silent", "not evaluated fails", "events/s", "in shadow"):
        assert part in text
    shown = json.loads(json.dumps(summary.document()))
    assert shown["firings"] == summary.firings
    assert shown["events_per_second"] > 0


def test_late_events_are_counted(desk: Desk) -> None:
    desk.write(line("1", time="2024-01-02T00:00:00Z"), line("2", key="B"))
    assert desk.run().late == 1


def test_without_out_commands_are_only_counted(desk: Desk) -> None:
    desk.write(line("1"))
    summary = simulate(reminder(), SimulateOptions(desk.events, until=rfc3339.parse("2025-01-01T00:00:00Z")))
    assert summary.commands == 1
    assert not desk.out.exists()


def test_an_empty_file_is_a_run_without_events(desk: Desk) -> None:
    assert desk.write().run().events == 0
    assert desk.commands() == []


def test_progress_is_told_in_bytes_of_the_file(desk: Desk) -> None:
    told: list[tuple[int, int]] = []
    simulate(fines_processor(), SimulateOptions(FINES), lambda done, size: told.append((done, size)))
    size = FINES.stat().st_size
    assert told[-1] == (size, size)
    assert told == sorted(told)
    assert len(told) > 5


# ------------------------------------------------------------ bad lines

BAD = {
    "no JSON": (b"nonsense\n", "not valid JSON"),
    "cut off": (b'{"id":"1","source":"s"\n', "not valid JSON"),
    "two on a line": (line("8").rstrip() + line("9"), "not valid JSON"),
    "an array": (b"[1]\n", "must be a JSON object"),
    "a number": (b"7\n", "must be a JSON object"),
    "no UTF-8": (b'{"id":"\xff","source":"s","type":"t"}\n', "not UTF-8"),
    "NUL bytes": (b"\0\0\0\n", "not valid JSON"),
    "no id": (b'{"source":"s","type":"t","time":"2024-01-01T00:00:00Z"}\n', "`id` is missing"),
    "no source": (b'{"id":"1","type":"t","time":"2024-01-01T00:00:00Z"}\n', "`source` is missing"),
    "no type": (b'{"id":"1","source":"s","time":"2024-01-01T00:00:00Z"}\n', "`type` is missing"),
    "no time": (b'{"id":"1","source":"s","type":"t"}\n', "`time` is missing"),
    "another time": (line("8", time="1.1.2024"), "`time`"),
    "a number as id": (b'{"id":1,"source":"s","type":"t","time":"2024-01-01T00:00:00Z"}\n', "`id` is 1"),
    "a list as subject": (line("8", key=["A"]), "`subject`"),  # type: ignore[arg-type]
    "the system's type": (line("8", "orchestrator.command.succeeded"), "`type`"),
    "a lone surrogate": (line("8").replace(b'"A"', b'"\\ud800"'), "`subject` holds a lone surrogate"),
    "NaN": (line("8", data=7).replace(b"7", b"NaN"), "NaN"),
    "another version": (line("8", specversion="0.3"), "`specversion`"),
    "base64": (line("8", data_base64="AA=="), "`data_base64`"),
    "an unknown attribute": (line("8", Unknown="x"), "`Unknown`"),
    "nested too deep": (line("8", data=0).replace(b":0}", b":" + b"[" * 99 + b"]" * 99 + b"}"), "deeper"),
    "too large": (line("8", data="x" * 300_000), "dataref"),
    "endless": (b"x" * 3_000_000 + b"\n", "dataref"),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_line_stops_the_run_with_its_number(desk: Desk, kind: str) -> None:
    bad, says = BAD[kind]
    error = desk.write(line("1"), b"\n", bad, line("2")).fails()
    assert error.line == 3
    assert str(error).startswith("line 3: ")
    assert says in str(error)


def test_bad_lines_go_to_rejects_and_the_others_count(desk: Desk) -> None:
    lines: list[bytes] = []
    for place, (bad, _) in enumerate(BAD.values()):
        lines += [line(f"good {place}"), bad]
    summary = desk.write(*lines).run(rejects=True)
    assert (summary.events, summary.rejected, summary.lines) == (len(BAD), len(BAD), 2 * len(BAD))
    rejected = desk.rejected()
    assert [reject["line"] for reject in rejected] == list(range(2, 2 * len(BAD) + 1, 2))
    for reject, (bad, says) in zip(rejected, BAD.values(), strict=True):
        assert list(reject) == ["line", "error", "text"]
        assert says in reject["error"]
        if len(bad) < 10_000:
            assert reject["text"] == bad.decode("utf-8", "replace").rstrip("\n")
        else:
            assert len(reject["text"]) < 10_000


def test_without_bad_lines_the_file_of_rejects_is_empty(desk: Desk) -> None:
    desk.write(line("1")).run(rejects=True)
    assert desk.rejected() == []


def test_windows_line_ends_a_mark_at_the_front_and_a_missing_last_end_are_read(desk: Desk) -> None:
    text = (line("1") + line("2")).replace(b"\n", b"\r\n")
    desk.write(b"\xef\xbb\xbf" + text + line("3").rstrip())
    assert desk.run().events == 3


def test_a_packed_file_that_is_cut_off_or_damaged_stops_the_run(desk: Desk) -> None:
    lines = b"".join(line(str(number), data={"n": number * 7919 % 1000}) for number in range(2_000))
    packed = gzip.compress(lines)
    desk.write(packed[:-500])
    assert "cut off" in str(desk.fails())
    assert desk.fails().line > 1
    desk.write(packed[:-8] + b"\0" * 8)
    assert "damaged" in str(desk.fails())


# ------------------------------------------------------------ files


def test_a_failed_run_leaves_an_older_out_as_it_was(desk: Desk) -> None:
    desk.write(line("1"), b"nonsense\n")
    desk.out.write_text("older\n")
    desk.rejects.write_text("older rejects\n")
    with pytest.raises(SimulateError):
        desk.run()
    assert desk.out.read_text() == "older\n"
    assert sorted(path.name for path in desk.folder.iterdir()) == ["events.jsonl", "out.jsonl", "rejects.jsonl"]


def test_an_interrupted_run_leaves_no_out(desk: Desk) -> None:
    def interrupt(done: int, size: int) -> None:
        raise KeyboardInterrupt

    desk.write(line("1"))
    with pytest.raises(KeyboardInterrupt):
        simulate(reminder(), SimulateOptions(desk.events, desk.out), interrupt)
    assert [path.name for path in desk.folder.iterdir()] == ["events.jsonl"]


def test_files_that_cannot_be_opened_are_named(desk: Desk) -> None:
    with pytest.raises(SimulateError, match=r"events\.jsonl: No such file"):
        desk.run()
    desk.write(line("1"))
    desk.out = desk.folder / "nowhere" / "out.jsonl"
    with pytest.raises(SimulateError, match="nowhere"):
        desk.run()
    desk.out = desk.folder
    with pytest.raises(SimulateError, match="is a folder"):
        desk.run()


def test_one_file_cannot_be_two_things(desk: Desk) -> None:
    desk.write(line("1"))
    desk.out = desk.folder / "link.jsonl"
    desk.out.symlink_to(desk.events)
    with pytest.raises(SimulateError, match="named twice"):
        desk.run()
    assert desk.events.read_bytes() == line("1")
    desk.out = desk.rejects = desk.folder / "both.jsonl"
    with pytest.raises(SimulateError, match="named twice"):
        desk.run(rejects=True)


@pytest.mark.parametrize("partitions", [0, -1, 1025])
def test_a_number_of_partitions_that_is_not_possible_is_refused(desk: Desk, partitions: int) -> None:
    desk.write(line("1"))
    assert "1 to 1024" in str(desk.fails(partitions=partitions))
