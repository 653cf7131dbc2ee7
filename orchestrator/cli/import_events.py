"""`orchestrator events import`: a file of history, resumable, and nothing of it twice.

The server knows the file by its digest and its lines by their number, so whoever crashes, running this again goes on.
It waits for the server to come back, sends again what was not answered, and ends when everything is decided. Each
request may be answered by another process of the server.
"""

from __future__ import annotations

import hashlib
import time
from pathlib import Path
from typing import Any, Final, Literal

import orjson

from orchestrator.cli.client import Client, Refused, connect
from orchestrator.cli.events import LONGEST, batches
from orchestrator.cli.exits import FAILED, OK, USAGE, CommandFailed
from orchestrator.cli.show import Advance, json_line, line, note, progress
from orchestrator.cli.times import micros
from streams import rfc3339
from streams.intake import Intake, IntakeError

PATIENCE: Final = 60.0
"""Seconds to wait for a server that is away or has no room, and for another run of the same import to end."""
POLL: Final = 0.1
STALLED: Final = 300.0
"""Seconds without progress after which waiting ends."""
_INTAKE: Final = Intake(max_bytes=LONGEST, fingerprints=False)
"""The server's bound for one event is a setting of its own."""


def import_events(
    file: Path,
    /,
    *,
    until: str | None = None,
    wait: Literal["decided", "delivered"] = "decided",
    url: str | None = None,
    json: bool = False,
) -> int:
    """Import a file of past events. Run it again after a crash: it goes on, and nothing is stored twice.

    Example: orchestrator events import history.jsonl.gz --wait delivered

    Parameters
    ----------
    file
        CloudEvents, one JSON object a line, gzipped or not. Every event says its time.
    until
        Up to which time deadlines fire in the end, RFC 3339; by default the greatest time in the file.
    wait
        Return when everything is decided, or when every command is delivered or parked too.
    url
        Where the server is; by default http://127.0.0.1:8000 (ORCHESTRATOR_URL).
    json
        Print the summary as one JSON object.
    """
    end = micros("--until", until)
    ahead = _INTAKE.max_ahead
    if end is not None and ahead is not None and end - time.time_ns() // 1000 > ahead:
        raise CommandFailed(f"--until={until}: it is ahead of the clock; name a time that has passed", USAGE)
    began = time.monotonic()
    digest = _digest(file)
    with progress("checking") as advance:
        lines = _check(file, advance)
    with connect(url) as client:
        with progress("importing") as advance:
            summary = _Importer(client, file, digest, lines).run(end, advance)
        if wait == "delivered":
            with progress("delivering") as advance:
                wait_delivered(client, advance)
    seconds = time.monotonic() - began
    summary |= {"seconds": round(seconds, 3), "events_per_second": round(summary["events"] / seconds)}
    if json:
        json_line(summary)
    else:
        line(f"{summary['events']:,} events imported, {summary['stored']:,} of them new, in {seconds:.1f} s")
    return OK


class _Importer:
    def __init__(self, client: Client, file: Path, digest: str, lines: int) -> None:
        self.client = client
        self._file = file
        self._digest = digest
        self._lines = lines
        self._path = f"/v1/imports/{digest}"
        self._lease: dict[str, str] = {}
        self._stored = 0

    def run(self, until: int | None, advance: Advance) -> dict[str, Any]:
        """Sends, finishes and waits; begins anew whenever somebody else had the lease meanwhile."""
        while True:
            if self._open():
                return self._summary()
            try:
                latest = self._send(advance)
                moment = until if until is not None else latest
                self._finish(rfc3339.format(moment) if moment is not None else None)
                return self._summary()
            except _BeginAgain:
                note("this import is not open any more, or by somebody else: sending again, what is there is kept")

    def _open(self) -> bool:
        """Takes the lease. True if this file was imported already."""
        until = time.monotonic() + PATIENCE
        while True:
            try:
                found = self.client.patient("PUT", self._path, within=PATIENCE)
            except Refused as refused:
                if refused.http_status != 409 or time.monotonic() > until:
                    raise
                time.sleep(min(refused.retry_after, 1.0))
                continue
            if found["state"] == "finished":
                return True
            self._lease = {"Import-Lease": found["lease"]}
            return False

    def _send(self, advance: Advance) -> int | None:
        """The greatest time in the file; None for a file without events."""
        latest: int | None = None
        for first, lines in batches(str(self._file)):
            body = b"\n".join(lines) + b"\n"
            found = self._call("POST", "/events", body, query={"line": first})
            self._stored += found["stored"]
            if found["latest"] is not None:
                latest = max(rfc3339.parse(found["latest"]), latest if latest is not None else rfc3339.MIN)
            advance(first + len(lines) - 1, self._lines)
        return latest

    def _finish(self, until: str | None) -> None:
        """And waits for the end. Asks again where the process that did it is gone."""
        body = orjson.dumps({"until": until})
        self._call("POST", "/finish", body)
        moved, before = time.monotonic(), None
        while True:
            found = self._call("GET", "")
            if found["state"] == "finished":
                return
            if found["state"] == "failed":
                raise CommandFailed(f"the import could not be finished: {found['reason']}", FAILED)
            if found["state"] == "open":
                self._call("POST", "/finish", body)
            if found != before:
                moved, before = time.monotonic(), found
            if time.monotonic() - moved > STALLED:
                raise CommandFailed(f"{found['behind']:,} events are not decided and nothing moves: see /health")
            time.sleep(POLL)

    def _call(self, method: str, path: str, body: bytes | None = None, **more: Any) -> Any:
        try:
            return self.client.patient(method, self._path + path, body, within=PATIENCE, headers=self._lease, **more)
        except Refused as refused:
            if refused.http_status == 409 or (refused.http_status == 404 and method == "GET"):
                raise _BeginAgain from refused
            raise

    def _summary(self) -> dict[str, Any]:
        found = self.client.patient("GET", self._path, within=PATIENCE)
        return {
            "digest": self._digest,
            "events": found["stored"] + found["known"],
            "stored": self._stored,
            "until": found["until"],
        }


class _BeginAgain(Exception):
    """The lease is somebody else's, or nobody's."""


def wait_delivered(client: Client, advance: Advance) -> None:
    """Until every command is done or parked, and the query tables show it: who asks next shall not find it pending."""
    moved, before = time.monotonic(), None
    most = 0
    while True:
        found = client.patient("GET", "/v1/partitions", within=PATIENCE)["partitions"]
        left = sum(each["undelivered"] for each in found)
        behind = sum(each["lag"] for each in found)
        most = max(most, left)
        advance(most - left, most)
        if not left and not behind and all(each["shown"] for each in found):
            return
        if found != before:
            moved, before = time.monotonic(), found
        if time.monotonic() - moved > STALLED:
            what = f"{left:,} commands are not delivered" if left else "the query tables are behind"
            raise CommandFailed(f"{what} and nothing moves: see /health and `orchestrator commands list`")
        time.sleep(POLL)


def _check(file: Path, advance: Advance) -> int:
    """The number of lines, each of which the server will take: nothing of a file that holds a bad one is sent, because
    a mended file is another file to the server, and its events would come twice."""
    now = time.time_ns() // 1000
    count = 0
    for first, lines in batches(str(file)):
        count = first + len(lines) - 1
        for number, text in enumerate(lines, first):
            if not text or text.isspace():
                continue
            try:
                _INTAKE.past_from_json(text, now)
            except IntakeError as error:
                raise CommandFailed(f"{file}:{number}: {error} (nothing was imported)") from error
        advance(count, 0)
    return count


def _digest(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest()
    except OSError as error:
        raise CommandFailed(f"{file}: {error.strerror or error}") from error
