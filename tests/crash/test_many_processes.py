"""Four processes share a log in Redis while everything that can be disturbed is (`tests/crash/chaos`); `make chaos`
does the same for longer.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from tests.crash.chaos.storm import Kind
from tests.crash.chaos.trial import Trial

EVERY: Final[dict[Kind, float]] = {
    "kill": 3.0,
    "freeze": 3.0,
    "cut": 2.0,
    "tear": 3.0,
    "stall": 6.0,
    "jump": 2.0,
    "restart": 9.0,
}
RATE: Final = 3_000


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_whatever_befalls_the_processes_everything_is_decided_once_as_if_nothing_had(tmp_path: Path) -> None:
    report = Trial(tmp_path, seconds=20.0, rate=RATE, every=EVERY, seed=4).run()
    assert report.differences == []
    assert all(report.counts.values()), report.counts
    assert report.commands > 300


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_without_the_fence_the_same_finds_commands_that_were_decided_twice(tmp_path: Path) -> None:
    troubles: dict[Kind, float] = {"freeze": 1.0}
    found: list[str] = []
    for seed in range(4):
        folder = tmp_path / str(seed)
        folder.mkdir()
        found = Trial(folder, seconds=8.0, rate=RATE, every=troubles, seed=seed, fenced=False).run().differences
        if any("too many" in each for each in found):
            return
    raise AssertionError(f"a missing fence was not noticed: {found}")
