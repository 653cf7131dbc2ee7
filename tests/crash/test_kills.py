"""A server that is killed again and again loses nothing, decides nothing twice, and ends where an undisturbed run ends.

The real fines are imported by a real importer into a real server on the embedded log, and delivered to a webhook. Both
processes are killed at random moments. After each kill the wreck is looked at; in the end everything is compared with
`simulate`. The seed is logged: `CRASH_SEED=… pytest tests/crash` draws the same moments again.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import logging
import math
import os
import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from orchestrator.rule_files import load
from orchestrator.wiring import query_path, tables
from projections.query import CommandFilter, Queries
from projections.stores.sqlite.store import QueryStore
from rules.compile import compile_rules
from streams.log import Log
from tests.crash import wreck
from tests.crash.processes import ORCHESTRATOR, ImportProcess, ServerProcess
from tests.crash.receiver import Receiver

FINES = Path(__file__).parents[2] / "examples" / "traffic-fines"
RULES = FINES / "rules.yaml"
_log = logging.getLogger(__name__)
UNTIL = "2012-03-26T00:00:00Z"
SLOW = 0.06
"""Seconds that the receiver takes, so that deliveries are left for each kill: eight at once are 133 a second."""
STARTING = 0.2
"""Share of the servers that are killed before they answer, or soon after."""
BOTH = 7
"""Of so many kills one takes the importer too."""
ATTEMPTS = 1_000
"""More attempts than kills: a command that is leased whenever its server dies is parked in the end, as it should be."""


class Run:
    """One import under kills, and what the wrecks said."""

    def __init__(self, folder: Path, partitions: int, lines: int | None) -> None:
        seed = int(os.environ.get("CRASH_SEED", random.randrange(10**6)))
        _log.warning("CRASH_SEED=%d", seed)
        self.chance = random.Random(seed)
        self.folder = folder
        self.file = cut(FINES / "traffic-fines.jsonl.gz", folder, lines)
        self.digest = hashlib.sha256(self.file.read_bytes()).hexdigest()
        self.expected = simulated(self.file, folder)
        self.receiver = Receiver(self.chance, SLOW)
        targets = folder / "targets.yaml"
        targets.write_text(self.receiver.targets("police", ATTEMPTS))
        self.server = ServerProcess(folder, RULES, targets, partitions)
        self.importer = ImportProcess(folder, self.file, self.server.url, UNTIL)
        self.kills: Counter[str] = Counter()
        """By what was left to do."""

    def close(self) -> None:
        self.importer.clean_up()
        self.server.clean_up()
        self.receiver.close()

    def start(self) -> None:
        self._start_server()
        self.importer.spawn()

    def _start_server(self) -> None:
        """With a batch size of its own, small ones as likely as large ones."""
        size = round(math.exp(self.chance.uniform(0, math.log(5000))))
        self.server.spawn(EVENT_BUS_BATCH_SIZE=str(size))

    def kill(self, least: float, most: float) -> None:
        """Lets the server live for some seconds, counted from when it answers or, now and then, from its start; kills
        it, starts the next, and looks at what the dead one left."""
        if self.chance.random() > STARTING:
            self.server.wait_ready()
        time.sleep(self.chance.uniform(least, most))
        if self.kills["server"] % BOTH == BOTH // 2:
            self.importer.kill()
            self.importer.spawn()
            self.kills["importer"] += 1
        assert self.importer.alive, "nothing is left to kill"
        self.server.kill()
        with wreck.opened_copy(self.server.database, self.server.partitions) as log:
            self._start_server()
            self._look(log)

    def _look(self, log: Log) -> None:
        """What must be true of a wreck, and what its server was doing."""
        decided, entries = wreck.commands(log), wreck.ledger(log)
        done = wreck.done(entries)
        assert set(decided.values()) <= {1}
        assert decided.keys() <= self.expected
        assert len(entries) == len({entry.command.id for entry in entries})
        assert done <= self.receiver.acknowledged, "recorded, but never acknowledged"
        imported = log.document(f"import:{self.digest}") is not None
        self.kills["server"] += 1
        self.kills["importing"] += not imported
        self.kills["deciding"] += wreck.behind(log) > 0
        self.kills["delivering"] += len(done) < len(decided)
        self.kills["only delivering"] += imported and len(done) < len(decided)
        assert not imported or len(done) < len(self.expected), "nothing was left to do"

    def finish(self) -> dict[str, Any]:
        """Lets it come to its end, and ends it in order; the importer's summary."""
        self.receiver.pause = 0.0
        self.server.wait_ready()
        summary = self.importer.summary(100)
        assert self.server.end(signal.SIGTERM) == 0, self.server.said()
        return summary


def cut(file: Path, folder: Path, lines: int | None) -> Path:
    if lines is None:
        return file
    shorter = folder / "fines.jsonl"
    shorter.write_bytes(b"".join(gzip.decompress(file.read_bytes()).splitlines(keepends=True)[:lines]))
    return shorter


def called(*arguments: str | Path) -> Any:
    return json.loads(subprocess.check_output([*ORCHESTRATOR, *arguments, "--json"], timeout=100))


def simulated(file: Path, folder: Path) -> set[str]:
    out = folder / "simulated.jsonl"
    called("simulate", "--rules", RULES, "--events", file, "--until", UNTIL, "--commands", out)
    return {json.loads(line)["id"] for line in out.read_text().splitlines()}


@pytest.fixture
def make_run(tmp_path: Path) -> Iterator[Callable[[int, int | None], Run]]:
    with ExitStack() as stack:
        yield lambda partitions, lines: stack.enter_context(closing(Run(tmp_path, partitions, lines)))


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_nothing_is_lost_or_done_twice_however_often_server_and_importer_are_killed(
    make_run: Callable[[int, int | None], Run],
) -> None:
    run = make_run(8, None)
    run.start()
    for _ in range(10):  # the import goes on after each
        run.kill(0, 0.5)
    most = 1.5
    while run.kills["only delivering"] < 10 or run.kills["server"] < 30:
        if run.kills["only delivering"]:
            run.kill(0, 0.7)
        else:  # longer and longer, until the import comes to its end
            most += 0.5
            run.kill(most / 2, most)
    _log.warning("%s", dict(run.kills))
    assert run.finish()["events"] == 34_724
    assert len(run.expected) == 4635
    assert min(run.kills[what] for what in ("importing", "deciding", "only delivering", "importer")) >= 3, run.kills
    agree(run)
    penalty = next(body for body in run.receiver.bodies.values() if body["key"] == "A15")
    assert (penalty["at"], penalty["args"]) == ("2007-01-27T00:00:00Z", {"fine": "A15", "amount": 42})


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("partitions", [1, 3])
def test_the_same_commands_come_of_a_killed_run_for_any_number_of_partitions(
    make_run: Callable[[int, int | None], Run], partitions: int
) -> None:
    run = make_run(partitions, 5000)
    run.start()
    for _ in range(6):
        run.kill(0, 0.7)
    assert run.finish()["events"] == 5000
    agree(run)


def agree(run: Run) -> None:
    """Rules, delivery, receiver, query tables and replay say the same of a run that is over."""
    everything = dict.fromkeys(run.expected, 1)
    with wreck.opened_copy(run.server.database, run.server.partitions) as log:
        assert wreck.commands(log) == everything
        assert wreck.results(log) == everything
        entries = wreck.ledger(log)
        assert Counter(entry.command.id for entry in entries) == everything
        assert wreck.done(entries) == run.expected
        shown_as_stored(run, log)
    assert run.receiver.seen.keys() == run.expected
    assert run.receiver.acknowledged == run.expected
    found = called("replay", "verify", "--log", run.server.log)
    assert found["clean"], found["difference"]
    assert found["commands"] == len(run.expected)


def shown_as_stored(run: Run, log: Log) -> None:
    """The query tables, after an orderly end, are what the state says."""
    processor = compile_rules(load([RULES]))
    fines = processor.projection_ids["fines"]
    path = query_path(run.server.log)
    assert path is not None
    with closing(QueryStore(path, log.info, tables(processor), notice=pytest.fail)) as store:
        queries = Queries(store)
        for key, rows in wreck.rows(log):
            assert queries.row("fines", key).row == rows.get(fines)
        cursor, states = None, {}
        while True:
            page = queries.commands(CommandFilter(), 1000, cursor)
            states |= {command["id"]: command["state"] for command in page.commands}
            if (cursor := page.next) is None:
                break
    assert states == dict.fromkeys(run.expected, "done")
