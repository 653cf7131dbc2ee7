"""The image: its steps run, and what they make serves and writes to its volume only."""

import json
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from tests.package.dockerfile import Image, build
from tests.ports import free_port

ROOT = Path(__file__).parents[2]


def test_hadolint_has_nothing_to_say() -> None:
    done = subprocess.run(
        [str(Path(sys.executable).parent / "hadolint"), str(ROOT / "Dockerfile")],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (0, "")


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    return build(ROOT / "Dockerfile", tmp_path_factory.mktemp("image"))


def files(root: Path) -> dict[str, int]:
    """Path → time of the last change, of all but the volume's."""
    return {
        str(path): path.lstat().st_mtime_ns
        for path in root.rglob("*")
        if path.relative_to(root).parts[0] != "data" and not path.is_dir()
    }


def test_it_serves_writes_to_its_volume_only_and_stops_in_order(image: Image, tmp_path: Path) -> None:
    assert image.user == "10001:10001"
    before = files(image.root)
    data = image.root / "data"
    port = free_port()
    rules = "ruleset: r\nrules:\n  all: {on: a, then: [{command: c, to: log}]}\n"
    (data / "rules.yaml").write_text(rules)
    variables = {**image.variables, "ORCHESTRATOR_PORT": str(port), "METRICS_PORT": "0"}
    variables["ORCHESTRATOR_RULES"] = str(data / "rules.yaml")
    command = [*image.entrypoint, *image.command, "--json"]
    errors = (tmp_path / "errors").open("wb")
    process = subprocess.Popen(
        command,
        executable=str(image.root / "opt/orchestrator/bin" / command[0]),
        cwd=image.workdir,
        env=variables,
        stdout=subprocess.PIPE,
        stderr=errors,
    )
    try:
        assert process.stdout is not None
        ready = process.stdout.readline()
        assert ready, (tmp_path / "errors").read_text()
        url = json.loads(ready)["http"]
        event = json.dumps({"id": "1", "source": "s", "type": "a"}).encode()
        request = urllib.request.Request(f"{url}/v1/events", event, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=20) as answer:
            assert answer.status == 202
        healthy = [str(image.root / "opt/orchestrator/bin/python"), *image.health[1:]]
        subprocess.run(healthy, env=variables, check=True, timeout=30)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0, (tmp_path / "errors").read_text()
        assert subprocess.run(healthy, env=variables, timeout=30, capture_output=True).returncode != 0
    finally:
        if process.poll() is None:
            process.kill()
        process.stdout.close()
        errors.close()
    assert files(image.root) == before


def test_no_compiler_and_no_tool_of_the_build_is_in_what_is_shipped(image: Image) -> None:
    shipped = image.root / "opt/orchestrator"
    names = {path.name for path in (shipped / "bin").iterdir()}
    assert not names & {"gcc", "cc", "pip", "uv", "cython"}
    there = sorted(path.name for path in next((shipped / "lib").glob("python*/site-packages")).iterdir())
    assert "orchestrator" in there
    assert not {"pip", "pytest", "mypy"}.intersection(there)
    size = sum(path.lstat().st_size for path in shipped.rglob("*") if path.is_file())
    assert size < 120 << 20, f"{size:,} bytes"
