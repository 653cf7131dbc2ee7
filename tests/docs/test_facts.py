"""Tables of the documentation say what the code says: settings, commands, metrics, routes, limits, refusals."""

import inspect
import json
import re
from collections.abc import Callable
from importlib import import_module
from typing import Any

import pytest

from adapters.target_file import TargetModel
from adapters.targets.langchain import answers as langchain
from adapters.targets.temporal import answers as temporal
from adapters.targets.temporal.model import TemporalModel
from adapters.targets.webhook.answers import ANSWERS, FAILURES
from orchestrator.api.app import EVERYTHING
from orchestrator.api.codes import BY_STATUS, CODES
from orchestrator.api.models.common import MOST
from orchestrator.api.routes import events
from orchestrator.cli import exits
from orchestrator.cli.main import COMMANDS, GROUPS, build
from orchestrator.door.door import MOST_WAITING
from orchestrator.settings import Settings
from rules.cel import limits
from rules.reading import projection, rule
from streams.intake import Intake
from tests.docs.cli_page import PAGE as CLI
from tests.docs.cli_page import arguments
from tests.docs.cli_page import page as cli
from tests.docs.diagnostics_page import PAGE, page
from tests.docs.errors_page import PAGE as ERRORS
from tests.docs.errors_page import page as errors
from tests.docs.metrics_page import PAGE as METRICS
from tests.docs.metrics_page import page as metrics
from tests.docs.pages import ROOT, code, table
from tests.docs.reference_page import PAGE as REFERENCE
from tests.docs.reference_page import page as reference
from tests.docs.settings_page import PAGE as SETTINGS
from tests.docs.settings_page import page as settings
from tests.docs.targets_page import PAGE as TARGETS_REFERENCE
from tests.docs.targets_page import page as targets_reference

OPERATING = (ROOT / "docs/operations/README.md").read_text()
HTTP = (ROOT / "docs/http.md").read_text()
RULES = (ROOT / "docs/rules.md").read_text()
WEBHOOK = (ROOT / "docs/targets/webhook.md").read_text()
TEMPORAL = (ROOT / "docs/targets/temporal.md").read_text()


def function(target: str) -> Callable[..., Any]:
    module, _, name = target.partition(":")
    found: Callable[..., Any] = getattr(import_module(f"orchestrator.cli.{module}"), name)
    return found


def test_the_page_of_settings_is_written_from_their_models() -> None:
    assert SETTINGS.read_text() == settings(), "run `python -m tests.docs.settings_page`"


def test_the_table_of_commands_is_that_of_the_code() -> None:
    expected = []
    for name, target in COMMANDS.items():
        said = inspect.getdoc(function(target))
        assert said, name
        expected.append([f"`orchestrator {name}`", " ".join(said.split("\n\n")[0].split())])
    assert table(OPERATING, "## Commands") == expected


def test_every_group_of_commands_has_commands() -> None:
    assert set(GROUPS) == {name.split()[0] for name in COMMANDS if " " in name}


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_a_command_has_an_example_that_can_be_typed(name: str) -> None:
    said = inspect.getdoc(function(COMMANDS[name])) or ""
    (example,) = re.findall(r"^Example: orchestrator (.*)$", said, re.MULTILINE)
    assert example.startswith(name)
    command, bound, _ = build().parse_args(example, exit_on_error=False, print_error=False)
    assert command is function(COMMANDS[name])
    assert bound.arguments or example == name


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_a_command_explains_every_parameter(name: str) -> None:
    said = inspect.getdoc(function(COMMANDS[name])) or ""
    _, _, parameters = said.partition("\nParameters\n")
    assert set(re.findall(r"^(\w+)$", parameters, re.MULTILINE)) <= set(
        inspect.signature(function(COMMANDS[name])).parameters
    )
    assert [each.name for each in arguments(name) if not each.parameter.help] == []


def test_the_table_of_exit_codes_is_that_of_the_code() -> None:
    there = {str(status) for name, status in vars(exits).items() if name.isupper()}
    assert {code(row[0]) for row in table(OPERATING, "## Exit codes")} == there | {"130"}


def test_the_page_of_metrics_is_written_from_their_list() -> None:
    assert METRICS.read_text() == metrics(), "run `python -m tests.docs.metrics_page`"


def test_the_page_of_errors_is_written_from_the_code() -> None:
    assert ERRORS.read_text() == errors()


def test_every_code_of_a_problem_is_used_with_its_status_and_no_other() -> None:
    source = "".join(path.read_text() for path in (ROOT / "orchestrator").rglob("*.py"))
    used = set(re.findall(r'code="([a-z-]+)"|"code": "([a-z-]+)"', source))
    assert {one or other for one, other in used} | set(BY_STATUS.values()) == set(CODES)
    assert all(CODES[name].status == status for status, name in BY_STATUS.items())


def test_every_route_has_its_part_of_the_page_and_no_other() -> None:
    there = {f"{route.method} {re.sub(':[^}]*', '', route.path)}" for route in EVERYTHING}
    assert set(re.findall(r"^## ([A-Z]+ /\S+)$", HTTP, re.MULTILINE)) == there


def test_the_limits_of_the_api_are_those_of_the_code() -> None:
    said = {row[0]: row[1] for row in table(HTTP, "## Conventions")}
    default = {name: info.default for name, info in Settings.model_fields.items()}
    intake = Intake()
    assert intake.max_ahead is not None
    assert said == {
        "request body": f"{default['body_bytes'] >> 20} MiB (`ORCHESTRATOR_MAX_BODY`)",
        "one event": f"{default['event_bytes'] >> 10} KiB (`ORCHESTRATOR_MAX_EVENT`)",
        "events of one request": f"{events.MOST:,}",
        "nesting of `data`": str(intake.max_depth),
        "`time` ahead of the clock": f"{intake.max_ahead // 60_000_000} minutes",
        "events that wait for their append": f"{default['queue']:,} (`ORCHESTRATOR_QUEUE`)",
        "ids of one redrive or cancel, commands of one lease, outcomes of one request": f"{MOST:,}",
        "requests that wait for work, of one process": f"{MOST_WAITING:,}",
    }


def test_the_limits_of_expressions_are_those_of_the_code() -> None:
    assert [row[1] for row in table(RULES, "## CEL profile")] == [
        f"{limit:,}"
        for limit in (
            limits.MAX_TEXT,
            limits.MAX_NESTING,
            limits.MAX_NODES,
            limits.MAX_COMPREHENSIONS,
            limits.MAX_PATTERN,
            limits.MAX_STEPS,
            limits.MAX_CHARACTERS,
            limits.MAX_ELEMENTS,
        )
    ]


def test_the_reference_of_targets_files_is_written_from_the_models_of_kinds() -> None:
    assert TARGETS_REFERENCE.read_text() == targets_reference(), "run `python -m tests.docs.targets_page`"


def test_what_an_answer_of_a_webhook_means_is_the_table_of_the_code() -> None:
    assert table(WEBHOOK, "## What an answer means") == [[each.shown, each.verdict, each.meaning] for each in ANSWERS]
    expected = [[f"`{name}`", each.verdict, each.meaning] for name, each in FAILURES.items()]
    assert table(WEBHOOK, "The status of an attempt is that of HTTP, or a word for what came instead:") == expected


def test_what_an_answer_of_a_model_means_is_the_table_of_the_code() -> None:
    page = (ROOT / "docs/targets/langchain.md").read_text()
    expected = [[name, each.verdict, each.meaning] for name, each in langchain.ANSWERS.items()]
    assert table(page, "## What an answer means") == expected
    expected = [[f"`{name}`", each.verdict, each.meaning] for name, each in langchain.FAILURES.items()]
    assert table(page, "Where there is none, a word is the status of the attempt:") == expected


def test_what_an_answer_of_a_temporal_server_means_is_the_table_of_the_code() -> None:
    expected = [[f"`{each.name}`", found.verdict, found.meaning] for each, found in temporal.ANSWERS.items()]
    assert table(TEMPORAL, "## What an answer means") == expected
    expected = [[f"`{name}`", found.verdict, found.meaning] for name, found in temporal.FAILURES.items()]
    assert table(TEMPORAL, "Where there is no code, the status of an attempt is a word:") == expected


def test_the_table_of_keys_of_a_temporal_target_has_all_of_them() -> None:
    rows = table(TEMPORAL, "## Keys")
    shown = {key: row[1] for row in rows for key in re.findall(r"`([^`]+)`", row[0])}
    fields = TemporalModel.model_fields
    assert shown.keys() - {"timeout"} == fields.keys() - TargetModel.model_fields.keys()
    for key in ("namespace", "operation", "id_conflict", "wait", "workflow_id"):
        assert code(shown[key]) == (fields[key].default or "${command.id}")
    for key in ("args", "signal_args", "update_args"):
        assert json.loads(code(shown[key])) == fields[key].default
    assert {code(shown[key]): fields[key].default for key in ("timeout", "poll")} == {"10s": 10.0}


def test_every_key_of_a_rule_and_a_projection_is_explained() -> None:
    parts = " ".join(row[0] + row[1] for row in table(RULES, "## What a rule can say"))
    assert [key for key in rule.KEYS if f"`{key}" not in parts] == []
    _, _, about = RULES.partition("\n## Projections\n")
    assert [key for key in projection.KEYS if key not in about and key != "description"] == []


def test_the_reference_of_the_command_line_is_written_from_the_commands() -> None:
    assert CLI.read_text() == cli(), "run `python -m tests.docs.cli_page`"


def test_the_page_of_diagnostics_is_written_from_the_catalogue() -> None:
    assert PAGE.read_text() == page(), "run `python -m tests.docs.diagnostics_page`"


def test_the_reference_of_rule_files_is_written_from_the_json_schema() -> None:
    assert REFERENCE.read_text() == reference(), "run `python -m tests.docs.reference_page`"
