"""The benchmark's jobs run, do the work they claim, and say what they found. Nothing here is timed."""

from pathlib import Path

import pytest

from bench.__main__ import JOBS
from bench.size import TINY


@pytest.mark.parametrize("name", JOBS)
def test_a_job_runs_at_tiny_size_and_has_figures(name: str, tmp_path: Path) -> None:
    results = JOBS[name](TINY, tmp_path)
    assert results
    for result in results:
        assert result.value > 0
        assert result.document()["job"] == result.job
