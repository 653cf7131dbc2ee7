"""What a targets file says wrong of a target of the kind `langchain` is told with the key and the remedy."""

from __future__ import annotations

import json
from typing import Any

import pytest

from adapters.errors import TargetError
from adapters.kind import Surroundings
from adapters.registry import load_targets


def refused(**keys: Any) -> str:
    given = {"kind": "langchain", "model": "openai:gpt-5-mini", "prompt": "Hello", "api_key": "env:KEY"} | keys
    given = {key: value for key, value in given.items() if value is not None}
    around = Surroundings(lambda: 0, {"env:KEY": "sk-1234"}.get, imports=frozenset(["json"]))
    with pytest.raises(TargetError) as caught:
        load_targets(json.dumps({"targets": {"triage": given}}), "targets.yaml", around)
    return str(caught.value).partition("target `triage`")[2].lstrip(", :")


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"model": None}, "say either `model` or `runnable`"),
        ({"runnable": "json:dumps"}, "say either `model` or `runnable`"),
        ({"prompt": None}, "a `model` needs a `prompt`"),
        ({"prompt": "${command.nothing}"}, "`prompt`: `${command.nothing}` is no part of a command"),
        ({"prompt": 5}, "`prompt`: write a text"),
        ({"model": "openai"}, "`model`: `openai` cannot be made"),
        ({"model": "nobody:gpt"}, "`model`: `nobody:gpt` cannot be made"),
        ({"model": "anthropic:claude-sonnet-4-5"}, "`model`: `anthropic:claude-sonnet-4-5` needs a package"),
        ({"api_key": "env:MISSING"}, "`api_key`: "),
        ({"model": None, "api_key": None, "runnable": "os:getcwd"}, "add it to ORCHESTRATOR_ALLOW_IMPORTS"),
        ({"model": None, "api_key": None, "runnable": "json:__all__"}, "name a Runnable or a function"),
        ({"model": None, "runnable": "json:dumps"}, "`api_key` is for a `model`: a Runnable has its own"),
        ({"schema": {"type": "string"}}, "`schema` describes an object"),
        ({"schema": {"type": "object", "required": ["a"]}}, "add `type: object` and `properties`"),
        ({"schema": {"type": "object", "properties": {"a": {"type": "nope"}}}}, "is no JSON Schema"),
        ({"method": "magic"}, "`method`: "),
        ({"options": {"max_retries": 5}}, "`options` cannot have `max_retries`"),
        ({"options": {"model_kwargs": {"tools": []}}}, "`options` cannot have `tools`"),
        ({"schema": {"type": "object", "properties": {"a": {"$ref": "#/$defs/a"}}}}, "leads nowhere in the schema"),
        ({"budget": {"per_hour": 5}}, "`budget.per_hour`: is no key of it"),
        ({"repairs": 11}, "`repairs`: "),
    ],
)
def test_mistakes_are_told_with_the_key_and_the_remedy(keys: dict[str, Any], said: str) -> None:
    assert said in refused(**keys)
