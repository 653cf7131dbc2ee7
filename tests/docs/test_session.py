"""The harness of the examples tells what is right from what is not: a page that says otherwise is found."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.pages import blocks, table
from tests.docs.session import Mismatch, Session, matches


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    (tmp_path / "jobs").mkdir()
    made = Session(tmp_path, tmp_path / "jobs")
    yield made
    made.close()


def test_what_is_not_printed_is_a_mismatch(session: Session) -> None:
    assert session.run("echo one two", "one  two") == 0
    with pytest.raises(Mismatch, match="one two"):
        session.run("echo one two", "one three")
    with pytest.raises(Mismatch):
        session.run("echo one; echo two", "one")


def test_the_exit_status_is_that_of_the_command_before(session: Session) -> None:
    assert session.run("(exit 3)", "") == 3
    assert session.run("echo $?", "3") == 0


def test_what_is_no_command_is_said_and_does_not_hang(session: Session) -> None:
    with pytest.raises(AssertionError, match="is no command"):
        session.run("echo 'one", "one")


def test_a_command_in_the_background_is_waited_for_and_ends_with_the_session(session: Session) -> None:
    assert session.run("(sleep 0.3; echo ready; sleep 600) &", "ready") == 0


def test_dots_stand_for_any_text_and_any_lines() -> None:
    assert matches("a ... c", "a b c")
    assert matches("a\n...\nc", "a\n1\n2\nc")
    assert not matches("a\n...\nc", "a\n1\n2\nd")
    assert not matches("a ... c", "a b d")


def test_times_of_day_and_speeds_may_differ_and_other_figures_may_not() -> None:
    assert matches("took  0.02 s, 176 events/s", "took 1.4 s, 9,999 events/s")
    assert matches("at 2025-01-01T00:00:00.123Z", "at 2026-02-02T00:00:00.5Z")
    assert not matches("at 2025-01-01T00:00:00Z", "at 2026-02-02T00:00:00Z")
    assert not matches("3 events", "4 events")


def test_blocks_have_language_title_flags_and_a_reason_not_to_run() -> None:
    text = 'x\n\n<!-- not run: it is a picture -->\n```yaml title="a b.yaml" wrong\nk: v\n```\n\n```\np\n```\n'
    first, second = blocks(text)
    assert (first.language, first.title, first.flags, first.body) == ("yaml", "a b.yaml", {"wrong"}, "k: v\n")
    assert (first.not_run, first.line, second.language, second.not_run) == ("it is a picture", 4, "", "")


def test_a_table_is_that_of_its_heading() -> None:
    text = "\n## A\n\n| h |\n|---|\n| 1 |\n\n## B\n\n| h |\n|---|\n| 2 \\| 3 |\n"
    assert table(text, "## B") == [["2 | 3"]]
