"""Events on disk until the server has them: what was put is sent, by this process or the one after a crash.

A folder of segments (`segment.py`), `sent` with the number of the first record that is not sent, `lock`, and
`refused.jsonl` with events that the server will never take. Puts are whole: after a kill or a power cut all events of a
put are there or none of them was promised. `sent` may be older than the truth: what it lost is sent again, and the
server knows it by `source` and `id`. Needs POSIX (flock).
"""

from __future__ import annotations

import errno
import json
import logging
import os
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import Final, Literal

from orchestrator_client.errors import Refusal, SpoolError, SpoolFull, SpoolLocked
from orchestrator_client.segment import HEAD, Segment, damaged, number, pack, scan

MOST_BYTES: Final = 256 << 20
SEGMENT_BYTES: Final = 4 << 20
_NO_ROOM: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_LOG: Final = logging.getLogger("orchestrator_client")


class Spool:
    """One process has it open at a time; safe from any of its threads. A context that closes it.

    folder
        Made if it is not there.
    sync
        `put`: on disk before `put` returns, so that it survives a power cut. `segment`: whenever a file is full (4
        MiB), `never`: when the system thinks so; both survive the end of the process, however it ends, and lose the
        newest events in a power cut.
    most_bytes
        Of all files together. SpoolFull beyond it.

    Raises SpoolLocked, SpoolDamaged and OSError.
    """

    def __init__(
        self,
        folder: str | Path,
        *,
        sync: Literal["put", "segment", "never"] = "put",
        most_bytes: int = MOST_BYTES,
    ) -> None:
        self.folder = Path(folder)
        self.most_bytes = most_bytes
        self._sync = sync
        self._segment_bytes = min(SEGMENT_BYTES, most_bytes // 4)
        self._mutex = Lock()
        self._broken: SpoolError | None = None
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = _locked(self.folder / "lock")
        try:
            self._open()
        except BaseException:
            os.close(self._lock)
            raise

    def _open(self) -> None:
        sent = _read_sent(self.folder / "sent")
        self._segments = self._found()
        self._next = max([sent, *(segment.next for segment in self._segments)])
        self._head = max(sent, self._segments[0].first) if self._segments else self._next
        self._count = sum(max(0, each.next - max(each.first, self._head)) for each in self._segments)
        self._offset: int | None = None
        """Of the head in its segment; None: to be looked up."""
        self._peeked: deque[int] = deque()
        """Offsets behind what was peeked and is not done."""
        refused = self.folder / "refused.jsonl"
        self._refused_bytes = refused.stat().st_size if refused.exists() else 0
        self._forget()
        if not self._segments:
            self._segments.append(Segment.make(self.folder, self._next))
        self._handle = os.open(self._segments[-1].path, os.O_WRONLY | os.O_APPEND)
        self._sync_folder()

    def _found(self) -> deque[Segment]:
        """Segments in order, the last without what was cut off. Raises SpoolDamaged."""
        found: deque[Segment] = deque()
        paths = sorted(path for path in self.folder.iterdir() if number(path) is not None)
        for path in paths:
            first, seen = number(path), scan(path)
            assert first is not None
            if seen.end < seen.size or seen.end < len(HEAD):
                if path != paths[-1] and self._sync != "never":
                    raise damaged(path, seen.end)  # it was on disk before the next one was begun
                if not seen.end:
                    _set_aside(path, 0)
                    path.unlink()
                    continue
                _set_aside(path, seen.end)
                os.truncate(path, seen.end)
            found.append(Segment(path, first, seen.records, seen.end))
        return found

    # -- writing
    def put(self, events: Sequence[bytes]) -> None:
        """All or none; from its return on they will be sent. Raises SpoolFull and SpoolError."""
        text = pack(events)
        with self._mutex:
            self._check()
            if self._size() + len(text) > self.most_bytes:
                self._forget(active=True)
                if self._size() + len(text) > self.most_bytes:
                    raise SpoolFull(
                        f"{self.folder} holds {self._size():,} bytes, and {self.most_bytes:,} are allowed: events "
                        "leave it when the server takes them; refused.jsonl counts, too"
                    )
            if self._segments[-1].count and self._segments[-1].size + len(text) > self._segment_bytes:
                self._roll()
            self._write(text, len(events))

    def _write(self, text: bytes, count: int) -> None:
        segment, written = self._segments[-1], 0
        view = memoryview(text)
        try:
            while written < len(text):
                written += os.write(self._handle, view[written:])
        except OSError as error:
            os.ftruncate(self._handle, segment.size)
            kind = SpoolFull if error.errno in _NO_ROOM else SpoolError
            raise kind(f"{segment.path} cannot be written: {error.strerror or error}") from error
        segment.size += len(text)
        segment.count += count
        self._next += count
        self._count += count
        if self._sync == "put":
            self._fsync()

    def _fsync(self) -> None:
        """What a failed fsync did not write is never tried again by Linux: only opening anew tells what is there."""
        try:
            os.fsync(self._handle)
        except OSError as error:
            said = error.strerror or error
            self._broken = SpoolError(
                f"{self._segments[-1].path} does not reach the disk ({said}): open the spool anew"
            )
            raise self._broken from error

    def _roll(self) -> None:
        if self._sync != "never":
            self._fsync()
        try:
            made = Segment.make(self.folder, self._next)
        except OSError as error:
            raise SpoolFull(f"{self.folder} takes no file: {error.strerror or error}") from error
        os.close(self._handle)
        self._segments.append(made)
        self._handle = os.open(made.path, os.O_WRONLY | os.O_APPEND)
        self._sync_folder()

    # -- reading
    def peek(self, most: int, most_bytes: int) -> list[bytes]:
        """Of one segment, which a request need not go beyond. Raises SpoolDamaged."""
        with self._mutex:
            self._check()
            self._peeked.clear()
            if not self._count:
                return []
            segment = self._at_head()
            if self._offset is None:
                before = segment.read(len(HEAD), self._head - segment.first, segment.size)
                self._offset = before[-1][1] if before else len(HEAD)
            found = segment.read(self._offset, most, most_bytes)
            self._peeked.extend(end for _, end in found)
            return [content for content, _ in found]

    def _at_head(self) -> Segment:
        while self._head >= self._segments[0].next and len(self._segments) > 1:
            self._segments.popleft().path.unlink()
            self._offset = None
        if self._head < self._segments[0].first:  # somebody took a file away
            self._head, self._offset = self._segments[0].first, None
        return self._segments[0]

    def done(self, count: int) -> None:
        """Of what was peeked last."""
        with self._mutex:
            self._check()
            for _ in range(count):
                self._offset = self._peeked.popleft()
            self._head += count
            self._count -= count
            self._write_sent()
            self._forget()

    def refused(self, refusal: Refusal) -> None:
        """Keeps it, with the reason, for people. Raises SpoolFull."""
        problem = refusal.problem
        line = json.dumps({"status": problem.status, "detail": problem.detail, "event": refusal.event.decode()}) + "\n"
        with self._mutex:
            self._check()
            try:
                with (self.folder / "refused.jsonl").open("a") as opened:
                    opened.write(line)
                    opened.flush()
                    os.fsync(opened.fileno())
            except OSError as error:
                raise SpoolFull(f"{self.folder}/refused.jsonl: {error.strerror or error}") from error
            self._refused_bytes += len(line)

    def __len__(self) -> int:
        """Events that are not sent."""
        return self._count

    @property
    def size(self) -> int:
        """Bytes of its files."""
        with self._mutex:
            return self._size()

    def _size(self) -> int:
        return sum(segment.size for segment in self._segments) + self._refused_bytes

    def _forget(self, active: bool = False) -> None:
        """Segments that are sent; the one that is written only when asked to."""
        if active and self._segments[-1].count and self._head == self._next:
            self._roll()
        while self._segments and self._head >= self._segments[0].next:
            if len(self._segments) == 1 and self._segments[0].next == self._next:
                return
            self._segments.popleft().path.unlink()
            self._offset = None

    def _write_sent(self) -> None:
        """Without fsync, and not needed: an old number, or none, sends again what was sent."""
        aside = self.folder / "sent.new"
        try:
            aside.write_text(f"{self._head}\n")
            aside.replace(self.folder / "sent")
        except OSError as error:
            _LOG.warning("%s cannot be written (%s): what is sent would be sent again after a crash", aside, error)

    # -- the rest
    def close(self) -> None:
        """What is not sent stays."""
        with self._mutex:
            if self._lock < 0:
                return
            try:
                if self._broken is None and self._sync != "never":
                    self._fsync()
            finally:
                self._broken = SpoolError(f"{self.folder} is closed")
                os.close(self._handle)
                os.close(self._lock)
                self._lock = -1

    def __enter__(self) -> Spool:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _check(self) -> None:
        if self._broken is not None:
            raise self._broken

    def _sync_folder(self) -> None:
        if self._sync == "never":
            return
        handle = os.open(self.folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _locked(path: Path) -> int:
    """A handle whose closing, also by the end of the process, unlocks. Raises SpoolLocked."""
    import fcntl

    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        owner = os.pread(handle, 20, 0).decode("ascii", "replace").strip()
        os.close(handle)
        raise SpoolLocked(f"{path.parent} is open in process {owner or '?'}: one process at a time") from error
    os.ftruncate(handle, 0)
    os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
    return handle


def _read_sent(path: Path) -> int:
    """0 if it says nothing: everything that is there is sent again."""
    try:
        text = path.read_text("ascii", "replace")
    except FileNotFoundError:
        return 0
    return int(text) if text.endswith("\n") and text[:-1].isascii() and text[:-1].isdigit() else 0


def _set_aside(path: Path, offset: int) -> None:
    """What is cut off is kept, unless it is nothing: it was never promised, if the disk is sound."""
    tail = path.read_bytes()[offset:]
    if not tail.strip(b"\0"):
        return
    aside = path.with_suffix(".torn")
    aside.write_bytes(tail)
    _LOG.warning("%s: %d bytes at its end are no whole record and stand in %s now", path, len(tail), aside)
