"""The target kind `langchain`: a command is one question, and its answer the result. An answer that does not fit the
schema is recorded with what is wrong, and the question asked again at once.

The provider's client tries nothing again by itself, so that the ledger counts all attempts. An answer is remembered for
a while, so that a command that comes again before its outcome is stored is not paid for twice.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import msgspec
from langchain_core.messages import BaseMessage, HumanMessage, SystemMessage
from langchain_core.runnables import RunnableConfig
from langsmith import tracing_context

from adapters.results import LARGEST
from adapters.targets.langchain.answers import failure, of_error
from adapters.targets.langchain.asking import LONGEST_RAW, Question, Reply, Used
from adapters.targets.langchain.budget import Budget
from adapters.targets.langchain.repairing import Repairs
from adapters.template import Template, TemplateError
from adapters.texts import texts
from adapters.work import Outcome, Verdict, Work

REMEMBERED: Final = 1_000
"""Commands whose outcome is kept."""


@dataclass(frozen=True, slots=True)
class LangchainOptions:
    question: Question
    system: Template | None
    prompt: Template | None
    repairs: int
    timeout: float
    budget: Budget
    prices: tuple[float, float] | None
    """For a million tokens: of the question, of the answer."""
    tracing: bool
    now: Callable[[], int]
    disconnect: Callable[[], Awaitable[None]] | None
    """Ends the connections, where they are ours."""


class _Known(NamedTuple):
    redrive: int
    """As `Work.attempts_before`."""
    answer: asyncio.Future[Outcome | None]
    """None where asking was broken off."""


class LangchainAdapter:
    def __init__(self, options: LangchainOptions) -> None:
        self._options = options
        self._known: OrderedDict[str, _Known] = OrderedDict()
        """By command, what is asked now or was answered for good."""

    async def deliver(self, work: Work) -> Outcome:
        while (known := self._known.get(work.id)) is not None:
            outcome = await asyncio.shield(known.answer)
            if outcome is not None and (outcome.verdict is Verdict.DONE or known.redrive >= work.attempts_before):
                return outcome
            if self._known.get(work.id) is known:
                del self._known[work.id]  # it was refused, and somebody wants it to be asked again
        answer: asyncio.Future[Outcome | None] = asyncio.get_running_loop().create_future()
        self._known[work.id] = _Known(work.attempts_before, answer)
        try:
            outcome = await self._deliver(work)
        except BaseException:
            del self._known[work.id]
            answer.set_result(None)
            raise
        answer.set_result(outcome)
        if outcome.verdict not in (Verdict.DONE, Verdict.FINAL):
            del self._known[work.id]
        while len(self._known) > REMEMBERED and next(iter(self._known.values())).answer.done():
            self._known.popitem(last=False)
        return outcome

    async def preview(self, work: Work) -> Any:
        """Without the schema of the answer."""
        asked, _ = _asked(self._options, msgspec.json.decode(work.body))
        if self._options.prompt is None:
            return {"input": asked}
        return {"messages": [{"role": message.type, "content": str(message.text)} for message in asked]}

    async def close(self) -> None:
        if self._options.disconnect is not None:
            await self._options.disconnect()

    async def _deliver(self, work: Work) -> Outcome:
        options, budget = self._options, self._options.budget
        command = msgspec.json.decode(work.body)
        try:
            asked, hidden = _asked(options, command)
        except TemplateError as error:
            return failure("template", str(error))
        if (wait := budget.wait(time.monotonic())) > 0:
            return failure("budget", "the tokens of its budget are used", wait=wait)
        limit = work.timeout or options.timeout
        repairs = Repairs.read(work.progress)
        if isinstance(asked, list):
            asked += repairs.conversation()
        used = repairs.used()
        budget.begin()
        began = time.monotonic()
        try:
            with tracing_context(enabled=options.tracing):
                async with asyncio.timeout(limit):
                    reply = await options.question.ask(asked, _config(work, command), used)
        except TimeoutError:
            return failure("timeout", f"no answer within {limit:g} s", self._cost(used))
        except Exception as error:
            raw = used.add_unread(error)
            outcome = of_error(error, hidden, options.now())
            told = {"raw": raw, **self._cost(used)} if raw else self._cost(used)
            return msgspec.structs.replace(outcome, result=told) if used.calls else outcome
        finally:
            budget.end(used.tokens - repairs.used().tokens, time.monotonic())
        seconds = repairs.seconds + time.monotonic() - began
        if reply.mendable and repairs.count < options.repairs:
            again = failure("repair", f"the answer does not fit the schema: {reply.misfit}", wait=0.0)
            return msgspec.structs.replace(again, progress=repairs.after(reply, used, seconds))
        return self._outcome(reply, used, seconds)

    def _outcome(self, reply: Reply, used: Used, seconds: float) -> Outcome:
        about = {"model": reply.model or None, "seconds": round(seconds, 3), **self._cost(used)}
        if reply.finish == "length":
            return failure("truncated", "the answer was cut off: raise `max_tokens`", {"raw": reply.raw, **about})
        if reply.finish == "content_filter":
            return failure("refused", "a filter of the provider refused to answer", {"raw": reply.raw, **about})
        if reply.refusal:
            return failure("refused", f"the model refused: {reply.refusal}", {"raw": reply.raw, **about})
        if reply.misfit:
            asked = f"{used.calls} answers" if used.calls > 1 else "the answer"
            return failure("schema", f"{asked} did not fit the schema: {reply.misfit}", {"raw": reply.raw, **about})
        result = {"answer": reply.answer, **about}
        if reply.raw and len(reply.raw) >= LONGEST_RAW and len(msgspec.json.encode(result)) > LARGEST:
            return failure("too-long", f"the answer has more than {LARGEST:,} bytes", {"raw": reply.raw, **about})
        return Outcome(Verdict.DONE, result=result, status="answered")

    def _cost(self, used: Used) -> dict[str, Any]:
        found: dict[str, Any] = {
            "calls": used.calls,
            "tokens": {"input": used.input, "output": used.output, "total": used.tokens},
        }
        if self._options.prices is not None:
            question, answer = self._options.prices
            found["cost"] = round((used.input * question + used.output * answer) / 1e6, 9)
        return found


def _asked(options: LangchainOptions, command: dict[str, Any]) -> tuple[Any, list[str]]:
    """What is asked, and the texts of it that no log is to show. Raises TemplateError."""
    said = [text for _, text in texts(command.get("args"))]
    if options.prompt is None:
        return command, said
    rendered = [template.render(command) for template in (options.system, options.prompt) if template is not None]
    messages: list[BaseMessage] = [HumanMessage(rendered[-1])]
    return [SystemMessage(rendered[0]), *messages] if len(rendered) > 1 else messages, [*rendered, *said]


def _config(work: Work, command: dict[str, Any]) -> RunnableConfig:
    about = {"command_id": work.id, "attempt": work.attempt, "target": work.target, "rule": command.get("rule")}
    return RunnableConfig(run_name=str(command.get("command")), tags=["orchestrator"], metadata=about)
