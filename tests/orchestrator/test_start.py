"""What a command loads: the libraries for talking to a server only where one is talked to."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("arguments", "loaded"),
    [
        (["version"], False),
        (["--help"], False),
        (["commands", "list", "--help"], False),
        (["rules", "check", "missing.yaml"], False),
        (["commands", "list", "--url", "http://127.0.0.1:1"], True),
    ],
)
def test_the_http_client_is_loaded_by_commands_that_need_it(arguments: list[str], loaded: bool) -> None:
    program = (
        "import sys; from orchestrator.cli.main import run; run(sys.argv[1:]); print('httpx' in sys.modules, end='')"
    )
    found = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=True)
    assert found.stdout.endswith(str(loaded)), found.stderr
