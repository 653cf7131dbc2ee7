"""Every example of the documentation runs: commands print what the page says, rule files pass their own tests."""

import json
import re
import shlex
import shutil
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from adapters.kind import Surroundings
from adapters.registry import load_targets
from rules import cel
from rules.compile import compile_rules
from rules.diagnostics import RuleErrors
from rules.load import load_sources
from rules.testing import run_tests
from streams import rfc3339
from streams.intake import Intake
from tests.adapters.temporal_server import BUILT, LONGEST
from tests.adapters.temporal_server import script as temporal
from tests.docs.pages import PAGES, ROOT, Block, blocks, name
from tests.docs.session import Session

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
CHAT = "https://chat.example/services/T0"


class Page:
    """Runs blocks of one page in order."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._event: dict[str, Any] = {}

    def run(self, block: Block) -> None:
        if block.title and block.language != "console":
            file = self._session.folder / block.title
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(self._session.here(block.body))
        kind: Callable[[Block], None] = getattr(self, f"_{block.language}", self._unknown)
        kind(block)

    def _unknown(self, block: Block) -> None:
        raise AssertionError(f"nothing runs {block.language!r}: say why in `<!-- not run: … -->` above it")

    def _console(self, block: Block) -> None:
        steps = list(commands(block.body))
        assert steps, "a console block begins with `$ `"
        for place, (command, expected) in enumerate(steps):
            status = self._session.run(command, expected, "varies" in block.flags)
            asked = place + 1 < len(steps) and steps[place + 1][0] == "echo $?"
            assert status == 0 or asked, f"$ {command}\nends with {status}, and the page does not say so"

    def _sh(self, block: Block) -> None:
        if all(line.startswith("make ") for line in block.body.splitlines()):
            self._make(block.body)
            return
        status = self._session.run(block.body.rstrip(), "...")
        assert status == 0, f"{block.body}\nends with {status}"

    def _yaml(self, block: Block) -> None:
        if block.body.startswith("targets:"):
            around = Surroundings(lambda: 0, lambda name: CHAT if name.endswith("_URL") else SECRET)
            assert set(load_targets(self._session.here(block.body), "t", around)) > set()
            return
        try:
            ruleset = load_sources({block.title or "rules.yaml": block.body})
        except RuleErrors as error:
            if "wrong" in block.flags:
                return
            raise AssertionError("\n".join(each.render() for each in error.diagnostics)) from error
        assert "wrong" not in block.flags, "nothing is wrong with it"
        compile_rules(ruleset)
        assert not ruleset.warnings or "warns" in block.flags, "\n".join(each.render() for each in ruleset.warnings)
        failed = [f"{each.name}\n{each.report}" for each in run_tests(ruleset) if not each.passed]
        assert not failed, "\n".join(failed)

    def _jsonl(self, block: Block) -> None:
        for line in block.body.splitlines():
            Intake().from_json(line.encode(), None)

    def _json(self, block: Block) -> None:
        found = json.loads(block.body)
        if block.title == "event":
            event = Intake().from_json(block.body.encode(), None)
            self._event = {**found, "time": datetime.fromisoformat(rfc3339.format(event.time))}

    def _cel(self, block: Block) -> None:
        for line in block.body.splitlines():
            text, _, said = line.rpartition("//")
            if not said:
                continue
            assert text, f"{line!r} does not say its value"
            assert value(text.strip(), self._event) == said.strip(), text

    def _python(self, block: Block) -> None:
        if not block.title:
            (self._session.folder / "block.py").write_text(self._session.here(block.body))
            assert self._session.run("python block.py", "...") == 0, block.body

    def _make(self, body: str) -> None:
        """Not run, because tests would call tests: but each target is there."""
        text = (ROOT / "Makefile").read_text()
        for line in body.splitlines():
            target = shlex.split(line, comments=True)[1]
            assert re.search(rf"^{target}:.*##", text, re.MULTILINE), f"make knows no {target}"


def commands(body: str) -> Iterator[tuple[str, str]]:
    """(command, what it prints). A command goes on in the next line behind a backslash."""
    lines = body.splitlines()
    while lines:
        line = lines.pop(0)
        assert line.startswith("$ "), f"{line!r} is printed before any command"
        command = line[2:]
        while command.endswith("\\"):
            command += "\n" + lines.pop(0)
        printed = []
        while lines and not lines[0].startswith("$ "):
            printed.append(lines.pop(0))
        yield command, "\n".join(printed)


def temporal_in(page: Path) -> bool:
    """Whether its reader starts a Temporal server."""
    return "$ temporal server " in page.read_text()


def value(text: str, event: dict[str, Any]) -> str:
    """JSON, or what kind of error it is."""
    try:
        found = cel.compile(text)({"event": event, "key": event.get("subject", "")})
    except cel.NotEvaluated:
        return "not evaluated"
    except cel.CelSyntaxError:
        return "refused"
    except cel.CelError:
        return "error"
    if isinstance(found, datetime):
        return f'"{rfc3339.format(round(found.timestamp() * 1e6))}"'
    if isinstance(found, timedelta):
        return f"{found.total_seconds():g}s"
    return orjson.dumps(found).decode()


@pytest.mark.parametrize(
    "page",
    [pytest.param(page, marks=[pytest.mark.timeout(LONGEST)] if temporal_in(page) else []) for page in PAGES],
    ids=name,
)
def test_every_example_of_a_page_does_what_the_page_says(page: Path, tmp_path: Path) -> None:
    found = list(blocks(page.read_text()))
    runnable = [block for block in found if not block.not_run]
    if not runnable:
        return
    folder, jobs = tmp_path / "reader", tmp_path / "jobs"
    if page.is_relative_to(ROOT / "examples"):
        shutil.copytree(page.parent, folder)  # the reader stands in the example's folder
    else:
        folder.mkdir()
    jobs.mkdir()
    if temporal_in(page):
        (jobs / "temporal").symlink_to(temporal("build", within=BUILT))
    session = Session(folder, jobs)
    try:
        reader = Page(session)
        for block in runnable:
            try:
                reader.run(block)
            except AssertionError as error:
                raise AssertionError(f"{name(page)}:{block.line}: {error}") from None
    finally:
        session.close()


def test_hardly_any_example_is_not_run() -> None:
    found = [block for page in PAGES for block in blocks(page.read_text())]
    assert sum(bool(block.not_run) for block in found) <= len(found) / 10
