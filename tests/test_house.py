"""The rules of the house that no linter knows: short files, and nothing below the shell that differs between two runs.

Time, chance and the environment reach lower packages as arguments: a function, an instance, a frozen option. So the
tests look for the *names* of such sources, not for calls: `clock=time.time` as a default would be as hidden as
`time.time()`.
"""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SHELL = "orchestrator"
BELOW_THE_SHELL = ["streams", "rules", "projections", "adapters", "replay"]
PACKAGES = [*BELOW_THE_SHELL, SHELL]
CLIENT = "orchestrator_client"
"""A distribution of its own, in `client/`."""
FOLDERS = [*PACKAGES, f"client/{CLIENT}"]
LONGEST_FILE = 400

# `random.Random` is a type that an injected generator has; every other name of the module is a shared generator.
SOURCES_OF_DIFFERENCE = re.compile(
    r"""
      time\.(time|time_ns|ctime|localtime)
    | datetime\.datetime\.(now|utcnow|today) | datetime\.date\.today
    | random(\.(?!Random$).*)? | secrets(\..*)?
    | uuid\.uuid[14]
    | os\.(environb?|getenvb?|putenv|urandom|getrandom)
    """,
    re.VERBOSE,
)


def sources(*packages: str) -> Iterator[Path]:
    for package in packages:
        yield from sorted((ROOT / package).rglob("*.py"))


def names_used(text: str) -> Iterator[tuple[int, str]]:
    """Every dotted name that a module reads, spelled from the module it was imported from, with its line."""
    tree = ast.parse(text)
    imported: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                imported[alias.asname or alias.name.split(".")[0]] = (
                    alias.name if alias.asname else alias.name.split(".")[0]
                )
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                imported[alias.asname or alias.name] = f"{node.module}.{alias.name}"
                yield node.lineno, f"{node.module}.{alias.name}"
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            parts = [node.attr]
            inner: ast.expr = node.value
            while isinstance(inner, ast.Attribute):
                parts.append(inner.attr)
                inner = inner.value
            if isinstance(inner, ast.Name) and inner.id in imported:
                yield node.lineno, ".".join([imported[inner.id], *reversed(parts)])


def differences(text: str) -> list[tuple[int, str]]:
    return [(line, name) for line, name in names_used(text) if SOURCES_OF_DIFFERENCE.fullmatch(name)]


@pytest.mark.parametrize(
    "text",
    [
        "import time\nstarted = time.time()",
        "from time import time",
        "import time as t\ndef f(clock=t.time_ns): ...",
        "import datetime\nnow = datetime.datetime.now(datetime.UTC)",
        "import datetime as dt\ntoday = dt.date.today()",
        "from datetime import datetime\nnow = datetime.now()",
        "import random\nn = random.random()",
        "from random import shuffle",
        "import secrets\nn = secrets.token_hex()",
        "import uuid\ni = uuid.uuid4()",
        "import os\nhome = os.environ['HOME']",
        "from os import getenv",
    ],
)
def test_a_hidden_source_of_difference_is_seen(text: str) -> None:
    assert differences(text)


@pytest.mark.parametrize(
    "text",
    [
        "import random\ndef jitter(chance: random.Random) -> float: return chance.random()",
        "import time\nbegin = time.perf_counter()",
        "from datetime import UTC, datetime\nt = datetime.fromtimestamp(0, UTC)",
        "class Clock:\n    def time(self): return self.now()",
    ],
)
def test_what_is_handed_in_is_no_source_of_difference(text: str) -> None:
    assert not differences(text)


def test_nothing_below_the_shell_reads_clocks_chance_or_the_environment() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line} reads {name}"
        for path in sources(*BELOW_THE_SHELL)
        for line, name in differences(path.read_text())
    ]
    assert not found, "\n".join(found)


def test_every_file_can_be_read_in_one_sitting() -> None:
    lengths = {path.relative_to(ROOT): len(path.read_text().splitlines()) for path in sources(*FOLDERS)}
    too_long = {str(path): length for path, length in lengths.items() if length > LONGEST_FILE}
    assert not too_long


def test_every_package_says_what_it_is_for() -> None:
    silent = [
        package for package in FOLDERS if not ast.get_docstring(ast.parse((ROOT / package / "__init__.py").read_text()))
    ]
    assert not silent


def test_every_package_tells_type_checkers_that_it_is_typed() -> None:
    assert all((ROOT / package / "py.typed").exists() for package in FOLDERS)


def test_all_settings_of_the_project_speak_of_the_same_packages() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]
    assert set(project["hatch"]["build"]["targets"]["wheel"]["packages"]) == set(PACKAGES)
    assert set(project["mypy"]["packages"]) == {*PACKAGES, CLIENT}
    assert set(project["importlinter"]["root_packages"]) == {*PACKAGES, CLIENT}


@pytest.mark.parametrize("lock", sorted((ROOT / "requirements").glob("*.txt")), ids=lambda path: path.name)
def test_a_lock_file_pins_by_hash_and_names_no_place_to_load_from(lock: Path) -> None:
    text = lock.read_text()
    assert not re.search(r"://|--index-url|--extra-index-url|--find-links|--trusted-host", text)
    requirements = re.findall(r"^[A-Za-z0-9][^\n]*(?:\n    [^\n]*)*", text, re.MULTILINE)
    assert requirements
    assert all("==" in requirement and "--hash=sha256:" in requirement for requirement in requirements)


def test_what_runs_and_what_develops_are_pinned_to_the_same_versions() -> None:
    def pins(name: str) -> set[str]:
        return set(re.findall(r"^\S+==\S+", (ROOT / "requirements" / name).read_text(), re.MULTILINE))

    assert pins("run.txt") <= pins("dev.txt")


def test_continuous_integration_calls_the_readmes_test_command() -> None:
    assert "make test" in (ROOT / "README.md").read_text()
    assert "make test" in (ROOT / ".ci" / "run").read_text()
