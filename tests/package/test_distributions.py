"""Wheel and source distribution install and run from a clean environment, on every Python that we support."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Final

import pytest

ROOT = Path(__file__).parents[2]
UV: Final = [str(Path(sys.executable).parent / "uv"), "--quiet", "--no-python-downloads"]
PYTHONS: Final = ("3.11", "3.12", "3.13")
SMALL: Final = 60 << 20
"""Bytes of an installation without extras."""
RULES = """
ruleset: shop
rules:
  big:
    on: order.placed
    when: event.data.total > 100
    then: [{command: look-at, to: log}]
tests:
  a big order is looked at:
    given:
      - {type: order.placed, subject: A, time: 2025-01-01T00:00:00Z, data: {total: 101}}
    expect:
      - {rule: big, command: look-at}
"""


def call(*command: str | Path, cwd: Path = ROOT) -> str:
    done = subprocess.run([*map(str, command)], cwd=cwd, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with wheels and source distributions of both packages."""
    folder = tmp_path_factory.mktemp("built")
    for source in (ROOT, ROOT / "client"):
        call(*UV, "build", "--no-build-isolation", "--python", sys.executable, "--out-dir", folder, source)
    assert sorted(path.suffix for path in folder.iterdir() if path.name != ".gitignore") == [
        ".gz",
        ".gz",
        ".whl",
        ".whl",
    ]
    return folder


def names(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        return sorted(archive.namelist())


def python(version: str) -> str:
    """Its executable. Skips where this machine has none."""
    if version == f"{sys.version_info.major}.{sys.version_info.minor}":
        return sys.executable
    # What a manager of versions puts first in PATH may be no Python at all.
    managed = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"), "versions").glob(f"{version}.*/bin/python")
    found = next(map(str, managed), None) or shutil.which(f"python{version}")
    if found is None:
        pytest.skip(f"there is no Python {version} on this machine")
    return found


@pytest.mark.parametrize("version", PYTHONS)
def test_the_wheel_runs_from_a_clean_environment(version: str, built: Path, tmp_path: Path) -> None:
    environment = tmp_path / "env"
    call(*UV, "venv", "--python", python(version), environment)
    pinned = ["--constraint", str(ROOT / "requirements/run.txt")]
    call(*UV, "pip", "install", "--python", environment, *pinned, *built.glob("*.whl"), cwd=tmp_path)
    shipped = next((environment / "lib").glob("python*/site-packages"))
    size = sum(path.stat().st_size for path in shipped.rglob("*") if path.is_file())
    assert size < SMALL, f"{size:,} bytes"
    orchestrator = environment / "bin" / "orchestrator"
    found = json.loads(call(orchestrator, "version", "--json", cwd=tmp_path))
    assert found["python"].startswith(version)
    (tmp_path / "rules.yaml").write_text(RULES)
    assert "1 passed" in call(orchestrator, "rules", "test", "rules.yaml", cwd=tmp_path)
    event = {"id": "1", "source": "s", "type": "order.placed", "subject": "A", "time": "2025-01-01T00:00:00Z"}
    (tmp_path / "events.jsonl").write_text(json.dumps({**event, "data": {"total": 250}}) + "\n")
    said = json.loads(
        call(orchestrator, "simulate", "--rules", "rules.yaml", "--events", "events.jsonl", "--json", cwd=tmp_path)
    )
    assert said["firings"] == {"big": 1}


def test_a_wheel_made_of_the_source_distribution_is_the_same(built: Path, tmp_path: Path) -> None:
    for source in built.glob("*.tar.gz"):
        call(*UV, "build", "--wheel", "--no-build-isolation", "--python", sys.executable, "--out-dir", tmp_path, source)
    for wheel in tmp_path.glob("*.whl"):
        assert names(wheel) == names(built / wheel.name)
