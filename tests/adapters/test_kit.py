"""The tests for kinds of others find faults: each faulty kind fails the test that asks for it, and a sound one none."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

from tests.adapters.faulty.kinds import KINDS

ROOT = Path(__file__).parents[2]
TESTS = "tests/adapters/faulty/conformance.py::TestKinds"
ARRIVES = "test_a_command_arrives_once_under_its_id_and_is_done"
STORED = "test_what_the_target_answered_can_be_stored"
AGAIN = "test_after_a_crash_before_it_was_recorded_it_comes_again_under_the_same_id"
SLOW = "test_what_takes_longer_than_its_timeout_is_tried_again_and_is_done_once"
CANCELLED = "test_cancelled_while_it_sends_it_ends_at_once_and_the_next_is_delivered"
BATCH = "test_a_batch_is_answered_in_its_order"
REFUSED = "test_a_command_that_is_refused_says_why"
REDRIVEN = "test_what_was_refused_and_is_redriven_is_sent_again_under_the_same_id"
NOBODY = "test_while_nobody_answers_it_is_tried_again"
SECRETS = "test_nothing_that_is_stored_or_shown_holds_a_secret"
MISSING = "test_a_secret_that_does_not_exist_is_an_error_when_the_file_is_read"
KEYS = "test_a_key_that_it_does_not_know_is_an_error_when_the_file_is_read"
CLOSED = "test_it_may_be_closed_twice_and_without_having_delivered"
TWO = "test_two_in_one_process_do_not_share_their_end"
FAULTS = [
    ("silent", ARRIVES, "assert [] == ["),
    ("twice", ARRIVES, "Left contains one more item"),
    ("speechless", STORED, "it answered with NoneType instead of an Outcome"),
    ("unstorable", STORED, "the result is no JSON"),
    ("renaming", AGAIN, "Extra items in the left set"),
    ("endless", SLOW, "the adapter does not keep to its timeout of 0.5 s, and had to be cancelled"),
    ("blocking", CANCELLED, "it blocks the event loop while it waits for the other end"),
    ("stubborn", CANCELLED, "s after it was cancelled"),
    ("shuffling", BATCH, "argument 2 is shorter than argument 1"),
    ("careless", REFUSED, "Verdict.DONE"),
    ("mute", REFUSED, "assert ''"),
    ("resentful", REDRIVEN, "('parked', "),
    ("raising", NOBODY, "Cannot connect to host"),
    ("hopeless", NOBODY, "Verdict.FINAL"),
    ("talkative", SECRETS, "assert ['env:TOKEN'] == []"),
    ("talkative", MISSING, "DID NOT RAISE"),
    ("loose", KEYS, "DID NOT RAISE"),
    ("fragile", CLOSED, "AssertionError"),
    ("once", TWO, "it is closed"),
]
"""(kind, test, what its failure says)."""
SOUND = sorted({test for _, test, _ in FAULTS})


def test_each_fault_is_found_by_the_test_that_asks_for_it_and_a_sound_kind_passes_all(tmp_path: Path) -> None:
    said = _run(tmp_path)  # once for all: it takes some seconds
    assert {(kind, test): said[kind, test] for kind, test, says in FAULTS if says not in said[kind, test]} == {}
    assert {test: said["sound", test] for test in SOUND if said["sound", test]} == {}


def _run(folder: Path) -> dict[tuple[str, str], str]:
    """What each test says of each kind, empty where it passed. The kinds are as if installed."""
    installed = folder / "faulty-1.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: faulty\nVersion: 1\n")
    points = [f"{name} = tests.adapters.faulty.kinds:{name}" for name in KINDS]
    (installed / "entry_points.txt").write_text("\n".join(["[orchestrator.targets]", *points]))
    asked = [*((kind, test) for kind, test, _ in FAULTS), *(("sound", test) for test in SOUND)]
    told = folder / "told.xml"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", f"--junitxml={told}"]
        + [f"{TESTS}::{test}[{kind}]" for kind, test in asked],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (folder, ROOT)))},
        capture_output=True,
        text=True,
        timeout=100,
    )
    found: dict[tuple[str, str], str] = {}
    for case in ElementTree.parse(told).iter("testcase"):
        test, _, kind = case.attrib["name"].rstrip("]").partition("[")
        said = [*case.iter("failure"), *case.iter("error"), *case.iter("skipped")]
        found[kind, test] = "\n".join(f"{each.get('message')}\n{each.text}" for each in said)
    assert found.keys() == set(asked), done.stdout
    return found
