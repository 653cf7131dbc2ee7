"""One question to a model or a Runnable, what it took, and whether the answer fits the schema."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

import jsonschema
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage
from langchain_core.runnables import Runnable, RunnableConfig

MOST_ERRORS: Final = 5
"""Of a schema, that the model is told of at once."""
ENDINGS: Final = frozenset(("length", "content_filter"))
"""Why an answer ended that asking again does not mend."""
LONGEST_RAW: Final = 16 * 1024
"""Characters of an answer that does not fit, kept for people."""


@dataclass(slots=True)
class Used:
    """Tokens of all calls, as far as the provider tells."""

    input: int = 0
    output: int = 0
    calls: int = 0

    @property
    def tokens(self) -> int:
        return self.input + self.output

    def add(self, message: AIMessage) -> None:
        usage = message.usage_metadata
        self.calls += 1
        if usage is not None:
            self.input += usage["input_tokens"]
            self.output += usage["output_tokens"]

    def add_unread(self, error: BaseException) -> str:
        """Of a call whose answer is in the error that was raised for it, as OpenAI's client does where it was cut off.
        The beginning of the answer."""
        completion = getattr(error, "completion", None)
        usage = getattr(completion, "usage", None)
        if completion is None or usage is None:
            return ""
        self.calls += 1
        self.input += usage.prompt_tokens
        self.output += usage.completion_tokens
        return str(completion.choices[0].message.content or "")[:LONGEST_RAW]


@dataclass(slots=True)
class Reply:
    """`answer` where it fits, else `misfit` says why not."""

    answer: Any = None
    raw: str = ""
    model: str = ""
    finish: str = ""
    misfit: str = ""
    mendable: bool = False
    """Whether asking again may mend a misfit."""
    said: str = ""
    """To be shown to the model again, whole."""
    refusal: str = ""
    """What the model says instead of an answer."""


class Question:
    """`schema`: of the answer, None for a text."""

    def __init__(self, runnable: Runnable[Any, Any], schema: dict[str, Any] | None, method: str, name: str) -> None:
        self._validator = jsonschema.Draft202012Validator(schema) if schema is not None else None
        self._runnable = runnable
        self._mends = isinstance(runnable, BaseChatModel)
        if schema is not None and isinstance(runnable, BaseChatModel):
            titled = {"title": name, "description": f"The answer for {name}.", **schema}
            self._runnable = runnable.with_structured_output(titled, method=method, include_raw=True)

    async def ask(self, asked: Any, config: RunnableConfig, used: Used) -> Reply:
        """`asked`: messages, or what a Runnable takes. `used` is told of the call. Raises what the provider's client
        raises."""
        found = await self._runnable.ainvoke(asked, config=config)
        message = found.get("raw") if isinstance(found, dict) and "parsing_error" in found else found
        if not isinstance(message, AIMessage):
            reply = Reply(answer=message)
            self._check(reply, message)
            return reply
        used.add(message)
        details = message.response_metadata
        text = _text(message)
        reply = Reply(
            answer=text,
            raw=text[:LONGEST_RAW],
            model=str(details.get("model_name", "")),
            finish=str(details.get("finish_reason", "")),
            said=text or "[]",  # no provider takes nothing
            refusal=str(message.additional_kwargs.get("refusal") or ""),
        )
        if self._validator is not None:
            parsed = found.get("parsed") if isinstance(found, dict) else None
            failed = found.get("parsing_error") if isinstance(found, dict) else None
            if parsed is None:
                reply.misfit = f"it cannot be read as JSON: {failed or 'it is empty'}"[:1_000]
            else:
                self._check(reply, parsed)
        ended = bool(reply.refusal) or reply.finish in ENDINGS
        reply.mendable = bool(reply.misfit) and self._mends and not ended
        return reply

    def _check(self, reply: Reply, answer: Any) -> None:
        reply.answer = answer
        if self._validator is None:
            return
        errors = sorted(self._validator.iter_errors(answer), key=lambda error: error.json_path)
        if errors:
            reply.misfit = "; ".join(f"{error.json_path}: {error.message[:200]}" for error in errors[:MOST_ERRORS])
            reply.raw = reply.raw or json.dumps(answer, default=str)[:LONGEST_RAW]


def _text(message: AIMessage) -> str:
    """The text of an answer, or the arguments of the tool that stands for the schema."""
    return str(message.text) or (json.dumps(message.tool_calls[0]["args"]) if message.tool_calls else "")
