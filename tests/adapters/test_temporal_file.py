"""What a targets file may say of a target of the kind `temporal`, and what is refused before anything is sent."""

from __future__ import annotations

from typing import Any

import pytest

from adapters.adapter import preview
from adapters.target_file import TargetModel
from adapters.targets.temporal.arguments import Arguments
from adapters.targets.temporal.model import TemporalModel
from adapters.template import TemplateError
from tests.adapters.temporals import opened, refused, work

COMMAND = {"id": "c1", "key": "GX-700", "args": {"speed": 171, "place": {"city": "Ulm", "lanes": [1, 2]}, "none": None}}


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("${command}", COMMAND),
        ("${ command.args }", COMMAND["args"]),
        ("${command.args.speed}", 171),
        ("${command.args.place}", {"city": "Ulm", "lanes": [1, 2]}),
        ("${command.args.place.city}", "Ulm"),
        ("${command.args.none}", None),
        ("${command.key}: ${command.args.speed}", "GX-700: 171"),
        ({"a": ["${command.args.speed}", 1, True, None]}, {"a": [171, 1, True, None]}),
        ("no part", "no part"),
    ],
)
def test_a_text_that_is_one_part_of_the_command_stands_for_its_value(value: Any, found: Any) -> None:
    assert Arguments([value]).render(COMMAND) == [found]


@pytest.mark.parametrize("value", ["${command.args.plate}", "${command.args.speed.unit}", "at ${command.args.plate}"])
def test_what_a_command_has_not_is_an_error(value: str) -> None:
    with pytest.raises(TemplateError, match="the command has no args"):
        Arguments([value]).render(COMMAND)


@pytest.mark.parametrize(
    ("keys", "why"),
    [
        ({"address": "http://temporal:7233"}, "`address`: write host and port, such as temporal.example:7233"),
        ({"address": "temporal:70000"}, "`address`: write host and port, such as temporal.example:7233"),
        ({"workflow": None}, ": `start` needs `workflow`: add it"),
        ({"task_queue": None}, ": `start` needs `task_queue`: add it"),
        ({"signal": "paid"}, ": `signal` is not of `start` but of `signal` and `signal-with-start`: take it out"),
        (
            {"operation": "signal", "signal": "paid", "workflow": None, "task_queue": None},
            ": `signal` needs `workflow_id`: add it, such as fine-${command.key}",
        ),
        (
            {"operation": "cancel", "workflow_id": "x", "workflow": None, "task_queue": None, "wait": "result"},
            ": `wait` is not of `cancel` but of `start` and `signal-with-start` and `update`: take it out",
        ),
        (
            {"id_conflict": "terminate-existing"},
            ": `id_conflict: terminate-existing` needs another `id_reuse`: add allow-duplicate",
        ),
        ({"operation": "query"}, "`operation`: Input should be 'start', 'signal', 'signal-with-start', 'update' or"),
        ({"workflow_id": "${command.args}"}, "`workflow_id`: `${command.args}` is more than a text"),
        ({"workflow_id": " "}, "`workflow_id`: must be a text of one line"),
        ({"args": ["${command.plate}"]}, "`args`: `${command.plate}` is no part of a command: there are"),
        ({"args": "${command}"}, "`args`: Input should be a valid list"),
        ({"poll": "1ms"}, "`poll`: Input should be greater than or equal to 0.1"),
        ({"run_timeout": 5}, "`run_timeout`: write a duration with its unit, such as 500ms, 10s or 1h"),
        ({"api_key": "hunter2"}, "`api_key`: write env:NAME, the variable that holds the secret, or file:/PATH"),
        ({"api_key": "env:KEY"}, "`api_key`: KEY is not set: set it to the secret"),
        ({"tls": {"key": "k.pem"}}, "`tls`: a `key` needs the `cert` that it belongs to"),
        ({"task-queue": "x"}, "`task-queue`: is no key of it: did you mean `task_queue`?"),
        ({"data_converter": "ours"}, "`data_converter`: `ours` is no import path"),
    ],
)
def test_a_file_that_cannot_be_meant_is_refused(keys: dict[str, Any], why: str) -> None:
    assert why in refused(**keys)


def test_an_api_key_that_no_header_may_hold_is_refused_and_not_shown() -> None:
    why = refused({"env:KEY": "hunter2\n"}, api_key="env:KEY")
    assert why == "`api_key`: the secret has characters that no header may hold: store it without them"


def test_every_key_says_what_it_is() -> None:
    own = TemporalModel.model_fields.keys() - TargetModel.model_fields.keys()
    assert [name for name in own if not TemporalModel.model_fields[name].description] == []


async def test_a_target_is_made_without_its_server() -> None:
    async with opened({"env:KEY": "hunter2"}, address="temporal.example:7233", api_key="env:KEY") as adapter:
        assert "hunter2" not in repr(adapter)


async def test_what_would_be_asked_for_can_be_shown_without_a_server() -> None:
    keys = {"workflow_id": "fine-${command.key}", "args": ["${command.args}"]}
    async with opened(address="temporal.example:7233", namespace="fines", **keys) as adapter:
        shown = await preview(adapter, work(plate="GX-700"))
    assert shown == {
        "address": "temporal.example:7233",
        "namespace": "fines",
        "operation": "start",
        "workflow_id": "fine-GX-700",
        "workflow": "Fine",
        "task_queue": "fines",
        "args": [{"plate": "GX-700"}],
    }
