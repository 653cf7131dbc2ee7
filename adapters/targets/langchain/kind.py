"""The kind `langchain`: from what a targets file says to an adapter."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from langchain.chat_models import init_chat_model
from langchain_core.language_models import BaseChatModel
from langchain_core.runnables import Runnable, RunnableLambda
from pydantic import ValidationError

from adapters import imports
from adapters.kind import FieldError, Kind, Surroundings
from adapters.secrets import resolve
from adapters.targets.langchain.adapter import LangchainAdapter, LangchainOptions
from adapters.targets.langchain.asking import Question
from adapters.targets.langchain.budget import Budget
from adapters.targets.langchain.model import LangchainModel

if TYPE_CHECKING:
    from openai import DefaultAsyncHttpxClient

KEY: Final = "env:LANGCHAIN_API_KEY"
TALKATIVE: Final = ("openai", "httpx", "httpx2", "httpcore", "httpcore2", "anthropic", "langsmith", "langchain")
"""Loggers that write prompts when they are let."""


def _make(name: str, model: LangchainModel, around: Surroundings) -> Callable[[], LangchainAdapter]:
    for logger in TALKATIVE:
        logging.getLogger(logger).setLevel(logging.WARNING)
    key = resolve(model.api_key, ("api_key",), around.secret) if model.api_key is not None else around.secret(KEY)
    runnable = _runnable(model, around) if model.runnable is not None else _model(model, key)
    question = _question(name, model, runnable)
    budget, prices = model.budget, model.prices

    def open() -> LangchainAdapter:
        client = _client(runnable) if model.model is not None else None
        asked = _model(model, key, http_async_client=client) if client is not None else None
        return LangchainAdapter(
            LangchainOptions(
                _question(name, model, asked) if asked is not None else question,
                model.system,
                model.prompt,
                model.repairs,
                model.timeout,
                Budget(budget.per_minute, budget.per_day),
                (prices.input, prices.output) if prices is not None else None,
                model.tracing,
                around.now,
                client.aclose if client is not None else None,
            )
        )

    return open


def _question(name: str, model: LangchainModel, runnable: Runnable[Any, Any]) -> Question:
    try:
        return Question(runnable, model.output, model.method, name)
    except Exception as error:  # what LangChain makes of a schema, and what it raises, is its own
        why = f"LangChain cannot tell the model of it by `method: {model.method}`: {type(error).__name__}: {error}"
        raise FieldError(("schema",), why) from None


def _client(model: Runnable[Any, Any]) -> DefaultAsyncHttpxClient | None:
    """Connections of the adapter's own, which end with it. Only OpenAI's class, and those derived from it, take some;
    what else LangChain has it shares, with other event loops too."""
    if "http_async_client" not in getattr(type(model), "model_fields", ()) or getattr(model, "openai_proxy", None):
        return None
    import openai  # the class has it

    return openai.DefaultAsyncHttpxClient()


def _model(model: LangchainModel, key: str | None, **more: Any) -> BaseChatModel:
    given: dict[str, Any] = {
        "api_key": key,
        "base_url": model.base_url,
        "temperature": model.temperature,
        "max_tokens": model.max_tokens,
    }
    try:
        found: object = init_chat_model(
            model.model,
            timeout=model.timeout,
            max_retries=0,
            disable_streaming=True,
            **{name: value for name, value in given.items() if value is not None},
            **model.options,
            **more,
        )
        assert isinstance(found, BaseChatModel), "a model that is named is not configurable"
        return found
    except ImportError as error:
        raise FieldError(("model",), f"`{model.model}` needs a package: {error}") from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise FieldError(("model",), f"`{model.model}` does not take `{where}`: {first['msg']}") from None
    except Exception as error:  # providers raise what they like, for a missing key for one
        raise FieldError(("model",), f"`{model.model}` cannot be made: {type(error).__name__}: {error}") from None


def _runnable(model: LangchainModel, around: Surroundings) -> Runnable[Any, Any]:
    assert model.runnable is not None
    found = imports.load(model.runnable, around, ("runnable",))
    if isinstance(found, Runnable):
        return found
    if callable(found):
        return RunnableLambda(found)
    raise FieldError(("runnable",), f"`{model.runnable}` is a {type(found).__name__}: name a Runnable or a function")


KIND = Kind("langchain", LangchainModel, _make)
