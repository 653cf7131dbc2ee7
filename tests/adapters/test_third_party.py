"""The example of a kind of somebody else: installed as readers install it, it passes the tests of every kind."""

import os
import subprocess
import sys
from pathlib import Path

EXAMPLE = Path(__file__).parents[2] / "examples" / "smtp-target"
PIP = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--no-build-isolation"]


def test_the_example_of_a_kind_installs_and_passes_its_tests(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, *PIP, "--target", str(tmp_path), str(EXAMPLE)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(command, cwd=EXAMPLE, env=environment, capture_output=True, text=True, timeout=110)
    assert done.returncode == 0, done.stdout
    assert "18 passed, 1 skipped" in done.stdout
