"""What a targets file may say of a target of the kind `langchain`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

import jsonschema
from pydantic import BeforeValidator, Field, model_validator

from adapters.target_file import LONGEST_TIMEOUT, FileModel, Seconds, TargetModel
from adapters.template import Template

LARGEST_SCHEMA = 64 * 1024
"""Characters of a schema as JSON."""
_Tokens = Annotated[int, Field(ge=1, le=10**12)] | None
_Price = Annotated[float, Field(ge=0, le=1e6)]


_FIXED = (
    "timeout",
    "max_retries",
    "api_key",
    "base_url",
    "temperature",
    "max_tokens",
    "streaming",
    "tools",
    "functions",
)


def _mappings(value: Any) -> Iterator[dict[str, Any]]:
    """It and those in it."""
    if isinstance(value, dict):
        yield value
    if isinstance(value, (dict, list)):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _mappings(each)


def _leads(schema: Any, reference: str) -> bool:
    """Whether a reference is one to a part of this schema."""
    if not reference.startswith("#"):
        return False
    for part in reference[1:].split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        if not isinstance(schema, dict) or key not in schema:
            return False
        schema = schema[key]
    return True


def _text(value: Any) -> Template:
    if not isinstance(value, str):
        raise ValueError("write a text; `${command.args}` and its parts stand for those of the command")
    return Template(value, objects=True)


Text = Annotated[Template, BeforeValidator(_text, json_schema_input_type=str)]


class BudgetModel(FileModel):
    per_minute: _Tokens = Field(None, description="Tokens in a minute, at most.")
    per_day: _Tokens = Field(None, description="Tokens in a day, at most.")


class PricesModel(FileModel):
    """In whatever currency, for a million tokens."""

    input: _Price = Field(description="Of a million tokens that are sent.")
    output: _Price = Field(description="Of a million tokens that are answered.")


class LangchainModel(TargetModel):
    """One question for each command."""

    model_config = FileModel.model_config | {"arbitrary_types_allowed": True}

    kind: Literal["langchain"]
    timeout: Annotated[Seconds, Field(ge=0.001, le=LONGEST_TIMEOUT)] = Field(60.0, description="For one attempt.")
    model: str | None = Field(None, min_length=1, description="As LangChain's `init_chat_model` takes it.")
    runnable: str | None = Field(
        None, description="Instead of `model`: the import path of a Runnable, which ORCHESTRATOR_ALLOW_IMPORTS has."
    )
    system: Text | None = Field(None, description="The system message; may hold parts of the command.")
    prompt: Text | None = Field(
        None, description="The question; may hold parts of the command. Without it a Runnable is given the command."
    )
    api_key: str | None = Field(None, description="A secret; else LANGCHAIN_API_KEY, else what the provider reads.")
    base_url: str | None = Field(None, description="Of the provider's API, if it is not the usual one.")
    temperature: Annotated[float, Field(ge=0, le=2)] | None = Field(None, description="Of the model.")
    max_tokens: Annotated[int, Field(ge=1, le=10**7)] | None = Field(None, description="Of one answer, at most.")
    options: dict[str, Any] = Field({}, description="More that the provider's class of LangChain takes.")
    output: dict[str, Any] | None = Field(
        None, alias="schema", description="JSON Schema of the answer. Without it the answer is a text."
    )
    method: Literal["json_schema", "function_calling", "json_mode"] = Field(
        "json_schema", description="How the model is told of the schema; what it has."
    )
    repairs: Annotated[int, Field(ge=0, le=10)] = Field(
        2,
        description="How often an answer that does not fit the schema is asked for again, with what is wrong.",
    )
    budget: BudgetModel = Field(BudgetModel(), description="Tokens that may be used; beyond it commands wait.")
    prices: PricesModel | None = Field(None, description="For a million tokens: `input` and `output`.")
    tracing: bool = Field(False, description="Whether LangSmith is told of prompts and answers.")

    @model_validator(mode="after")
    def _one(self) -> LangchainModel:
        if (self.model is None) == (self.runnable is None):
            raise ValueError("say either `model` or `runnable`")
        if self.model is not None and self.prompt is None:
            raise ValueError("a `model` needs a `prompt`")
        if self.system is not None and self.prompt is None:
            raise ValueError("`system` needs a `prompt`")
        if self.runnable is not None:
            for key in ("api_key", "base_url", "temperature", "max_tokens", "options"):
                if key in self.model_fields_set:
                    raise ValueError(f"`{key}` is for a `model`: a Runnable has its own")
        for key in _FIXED:
            if any(key in found for found in _mappings(self.options)):
                raise ValueError(f"`options` cannot have `{key}`: there is a key of its own, or it is fixed")
        return self

    @model_validator(mode="after")
    def _schema(self) -> LangchainModel:
        if self.output is not None:
            if self.output.get("type") != "object" or "properties" not in self.output:
                raise ValueError("`schema` describes an object: add `type: object` and `properties`")
            try:
                jsonschema.Draft202012Validator.check_schema(self.output)
            except jsonschema.SchemaError as error:
                where = "".join(f".{part}" for part in error.absolute_path)
                raise ValueError(f"`schema{where}` is no JSON Schema: {error.message[:200]}") from None
            for found in _mappings(self.output):
                if isinstance(reference := found.get("$ref"), str) and not _leads(self.output, reference):
                    raise ValueError(f"`$ref: {reference[:100]}` leads nowhere in the schema: write `#/$defs/NAME`")
        return self
