"""A spool: what was put comes out, in order, after any end of the process, within its bound."""

import os
import resource
import signal
import subprocess
import sys
from collections import deque
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from orchestrator_client import Invalid, QueueFull, Refusal, Spool, SpoolDamaged, SpoolError, SpoolFull, SpoolLocked
from orchestrator_client import spool as spools

BIG = 1 << 30


def everything(spool: Spool) -> list[bytes]:
    found: list[bytes] = []
    while part := spool.peek(7, BIG):
        found += part
        spool.done(len(part))
    return found


def segments(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.spool"))


def test_what_was_put_comes_out_once_and_in_order(tmp_path: Path) -> None:
    with Spool(tmp_path / "a" / "spool") as spool:
        spool.put([b"1", b"", b"3" * 100_000])
        spool.put([])
        assert len(spool) == 3
        assert spool.peek(2, BIG) == spool.peek(2, BIG) == [b"1", b""]
        spool.done(1)
        assert spool.peek(10, 10) == [b""]
        assert spool.peek(10, 1_000_000) == [b"", b"3" * 100_000]
        spool.done(2)
        assert spool.peek(10, 10) == []
        assert len(spool) == 0


def test_a_record_that_is_larger_than_what_is_asked_for_comes_alone(tmp_path: Path) -> None:
    with Spool(tmp_path) as spool:
        spool.put([b"x" * 5000, b"y"])
        assert spool.peek(10, 1) == [b"x" * 5000]


def test_the_next_process_goes_on_where_this_one_was(tmp_path: Path) -> None:
    with Spool(tmp_path) as spool:
        spool.put([b"%d" % n for n in range(10)])
        spool.peek(4, BIG)
        spool.done(4)
    with Spool(tmp_path) as spool:
        assert len(spool) == 6
        spool.put([b"10"])
        assert everything(spool) == [b"%d" % n for n in range(4, 11)]


@pytest.mark.parametrize("said", [None, b"", b"5", b"\xff\xfe\n", b"4x\n"])
def test_without_a_number_of_what_was_sent_everything_is_sent_again(tmp_path: Path, said: bytes | None) -> None:
    with Spool(tmp_path) as spool:
        spool.put([b"1", b"2", b"3"])
        spool.peek(2, BIG)
        spool.done(2)
    (tmp_path / "sent").unlink() if said is None else (tmp_path / "sent").write_bytes(said)
    with Spool(tmp_path) as spool:
        assert everything(spool) == [b"1", b"2", b"3"]


def test_whatever_the_last_write_left_behind_what_was_whole_before_it_is_there(tmp_path: Path) -> None:
    with Spool(tmp_path / "whole") as spool:
        spool.put([b"first", b"second"])
        whole = segments(tmp_path / "whole")[0].stat().st_size
        spool.put([b"third", b"fourth"])
    (file,) = segments(tmp_path / "whole")
    text = file.read_bytes()
    for end in range(len(text)):
        for tail in (b"", b"\0" * (len(text) - end)):
            folder = tmp_path / f"{end}-{len(tail)}"
            folder.mkdir()
            (folder / file.name).write_bytes(text[:end] + tail)
            with Spool(folder) as spool:
                spool.put([b"next"])
                found = everything(spool)
            assert found[-1] == b"next"
            assert found[:-1] == [b"first", b"second", b"third", b"fourth"][: len(found) - 1]
            assert len(found) >= 3 or end < whole


def test_what_is_cut_off_is_kept_beside_it(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with Spool(tmp_path) as spool:
        spool.put([b"first", b"second", b"third"])
    (file,) = segments(tmp_path)
    text = bytearray(file.read_bytes())
    text[text.index(b"second")] ^= 1
    file.write_bytes(text)
    with Spool(tmp_path) as spool:
        assert everything(spool) == [b"first"]
    assert b"third" in file.with_suffix(".torn").read_bytes()
    assert "are no whole record" in caplog.text


def filled(folder: Path, monkeypatch: pytest.MonkeyPatch, count: int = 12) -> list[bytes]:
    monkeypatch.setattr(spools, "SEGMENT_BYTES", 100)
    events = [b"%02d" % n * 15 for n in range(count)]
    with Spool(folder) as spool:
        for event in events:
            spool.put([event])
    assert len(segments(folder)) > 3
    return events


def test_damage_before_the_newest_file_is_told_and_not_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = filled(tmp_path, monkeypatch)
    second = segments(tmp_path)[1]
    text = second.read_bytes()
    second.write_bytes(text[:-1] + bytes([text[-1] ^ 1]))
    with pytest.raises(SpoolDamaged, match=r"0+2\.spool holds something else than was written, from byte"):
        Spool(tmp_path)
    second.rename(tmp_path / "away")
    with Spool(tmp_path) as spool:
        assert everything(spool) == events[:2] + events[4:]


def test_damage_that_comes_while_it_is_open_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    filled(tmp_path, monkeypatch)
    with Spool(tmp_path) as spool:
        first = segments(tmp_path)[0]
        first.write_bytes(b"\0" * first.stat().st_size)
        with pytest.raises(SpoolDamaged):
            spool.peek(1, BIG)


def test_files_go_when_they_are_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    filled(tmp_path, monkeypatch)
    with Spool(tmp_path) as spool:
        before = spool.size
        assert len(everything(spool)) == 12
        assert len(segments(tmp_path)) == 1
        assert spool.size < before / 3
        assert spool.size == sum(path.stat().st_size for path in segments(tmp_path))


def test_a_full_spool_takes_nothing_and_loses_nothing_and_has_room_again_when_it_is_sent(tmp_path: Path) -> None:
    with Spool(tmp_path, most_bytes=10_000) as spool:
        put = 0
        with pytest.raises(SpoolFull, match="10,000 are allowed"):  # noqa: PT012
            while True:
                spool.put([b"%04d" % put + b"x" * 96])
                put += 1
        assert put > 80
        assert sum(path.stat().st_size for path in tmp_path.iterdir() if path.suffix == ".spool") <= 10_000
        with pytest.raises(QueueFull):
            spool.put([b"x" * 20_000])
        assert [each[:4] for each in everything(spool)] == [b"%04d" % n for n in range(put)]
        spool.put([b"x" * 9_000])
        assert len(spool) == 1


def test_what_the_server_refused_counts_toward_the_bound(tmp_path: Path) -> None:
    with Spool(tmp_path, most_bytes=2_000) as spool:
        spool.put([b"{}"])
        spool.refused(Refusal(b"x" * 1900, Invalid(400, {"detail": "no"})))
        with pytest.raises(SpoolFull):
            spool.put([b"x" * 100])
    with Spool(tmp_path, most_bytes=2_000) as spool, pytest.raises(SpoolFull):
        spool.put([b"x" * 100])


def test_one_process_has_it_at_a_time_and_its_end_frees_it(tmp_path: Path) -> None:
    program = "import sys; from orchestrator_client import Spool; s = Spool(sys.argv[1]); print(flush=True); input()"
    other = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert other.stdout is not None
        assert other.stdout.readline() == b"\n"
        with pytest.raises(SpoolLocked, match=f"open in process {other.pid}"):
            Spool(tmp_path)
        other.send_signal(signal.SIGKILL)
        other.wait(10)
        with Spool(tmp_path) as spool, pytest.raises(SpoolLocked, match=f"process {os.getpid()}"):
            Spool(tmp_path)
        assert len(spool) == 0
    finally:
        other.kill()
        other.communicate()


def test_a_disk_without_room_is_told_and_leaves_what_was_there_whole(tmp_path: Path) -> None:
    """Files may not grow beyond a limit, which is what a full disk looks like in the middle of a write."""
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with Spool(tmp_path) as spool:
        spool.put([b"first"])
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (5_000, hard))
            with pytest.raises(SpoolFull, match="cannot be written: File too large"):
                spool.put([b"x" * 3_000, b"y" * 3_000])
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
            signal.signal(signal.SIGXFSZ, before)
        spool.put([b"second"])
    with Spool(tmp_path) as spool:
        assert everything(spool) == [b"first", b"second"]


def test_what_does_not_reach_the_disk_is_not_promised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spool = Spool(tmp_path)

    def fails(handle: int) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", fails)
        with pytest.raises(SpoolError, match="does not reach the disk"):
            spool.put([b"1"])
    with pytest.raises(SpoolError, match="open the spool anew"):
        spool.put([b"2"])
    spool.close()
    with Spool(tmp_path) as again:
        again.put([b"2"])


class Model(RuleBasedStateMachine):
    """A spool beside a list, with reopening at any moment."""

    def __init__(self) -> None:
        super().__init__()
        import tempfile

        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(spools, "SEGMENT_BYTES", 200)
        self.folder = tempfile.TemporaryDirectory()
        self.spool = Spool(self.folder.name, sync="never", most_bytes=2_000)
        self.expected: deque[bytes] = deque()
        self.peeked = 0

    @rule(events=st.lists(st.binary(max_size=60), max_size=5))
    def put(self, events: list[bytes]) -> None:
        try:
            self.spool.put(events)
        except SpoolFull:
            assert self.spool.size + sum(map(len, events)) + 8 * len(events) > 2_000
        else:
            self.expected.extend(events)

    @rule(most=st.integers(1, 6), most_bytes=st.integers(0, 300))
    def peek(self, most: int, most_bytes: int) -> None:
        found = self.spool.peek(most, most_bytes)
        assert found == list(self.expected)[: len(found)]
        assert bool(found) == bool(self.expected)
        assert len(found) <= most
        self.peeked = len(found)

    @precondition(lambda self: self.peeked)
    @rule(data=st.data())
    def done(self, data: st.DataObject) -> None:
        count = data.draw(st.integers(1, self.peeked))
        self.spool.done(count)
        for _ in range(count):
            self.expected.popleft()
        self.peeked -= count

    @rule()
    def reopen(self) -> None:
        self.spool.close()
        self.spool = Spool(self.folder.name, sync="never", most_bytes=2_000)
        self.peeked = 0

    @invariant()
    def counts_and_bounds_hold(self) -> None:
        assert len(self.spool) == len(self.expected)
        files = sum(path.stat().st_size for path in segments(Path(self.folder.name)))
        assert files == self.spool.size <= 2_000

    def teardown(self) -> None:
        self.spool.close()
        self.folder.cleanup()
        self.patch.undo()


Model.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestAnyUse = Model.TestCase
