"""No secret of a target is shown by what its adapter answers or raises."""

from __future__ import annotations

import base64
import json
import traceback
from collections.abc import Callable, Sequence
from typing import Any, Literal
from urllib.parse import quote

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.adapter import Adapter
from adapters.errors import DeliveryError, TargetError
from adapters.kind import Kind, Surroundings
from adapters.redact import HIDDEN, PASSING, Redactor
from adapters.registry import load_targets
from adapters.secrets import resolve
from adapters.target_file import BatchModel
from adapters.targets.log import KIND as LOG
from adapters.work import Outcome, Verdict, Work

SECRET = 'tr0ub4dor&3 "quoted"/ö'
WORK = Work("c1", 1, "police", b"{}", 0, 0)

SPELLINGS: dict[str, Callable[[str, str, str], str]] = {
    "as it is": lambda before, secret, after: before + secret + after,
    "in JSON": lambda before, secret, after: json.dumps(before + secret + after),
    "in a URL": lambda before, secret, after: "https://x/?a=" + quote(before + secret + after, safe=""),
    "in base64": lambda before, secret, after: base64.b64encode((before + secret + after).encode()).decode(),
    "in the base64 of URLs": lambda before, secret, after: base64.urlsafe_b64encode(
        (before + secret + after).encode()
    ).decode(),
}


def reveals(shown: str, secret: str) -> bool:
    """Whether somebody who looks for it finds it."""
    pieces = [shown, shown.encode().decode("unicode_escape", "ignore") if "\\" in shown else ""]
    for size in range(4):
        for alphabet in (b"+/", b"-_"):
            text = shown[size:]
            pieces.append(base64.b64decode(text[: len(text) // 4 * 4], alphabet).decode("utf-8", "ignore"))
    return any(secret in piece for piece in pieces)


@given(
    secret=st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=4, max_size=40),
    around=st.tuples(st.text("abcxyz:", max_size=7), st.text("abcxyz:", max_size=7)),
    spelling=st.sampled_from(sorted(SPELLINGS)),
)
def test_a_secret_is_found_in_every_spelling(secret: str, around: tuple[str, str], spelling: str) -> None:
    redactor = Redactor()
    redactor.add(secret)
    told = SPELLINGS[spelling](around[0], secret, around[1])
    found = redactor.outcome(Outcome(Verdict.RETRY, told, {told: [told, 1, None]}, status=told, progress=[told]))
    for shown in (found.reason, found.status, *found.progress, *found.result, *found.result.values()):
        for text in [shown] if isinstance(shown, str) else [shown[0]]:
            assert HIDDEN in text
            assert text != told


@pytest.mark.parametrize("before", ["", "u", "us", "user:", "Basic"])
def test_what_is_left_of_a_credential_does_not_give_the_secret_away(before: str) -> None:
    redactor = Redactor()
    redactor.add("correct horse battery")
    shown = redactor.text(base64.b64encode(f"{before}correct horse battery".encode()).decode())
    left = shown.replace(HIDDEN, "")
    assert len(left) <= len(before) * 4 // 3 + 8
    assert not reveals(left, "horse")


def test_an_answer_without_a_secret_is_left_as_it_is() -> None:
    redactor = Redactor()
    redactor.add(SECRET)
    outcome = Outcome(Verdict.DONE, "", {"status": 200, "body": {"a": [1, 2.5, None, True, "x"]}}, 3.0, "200", 0.1)
    assert redactor.outcome(outcome) == outcome


def test_an_answer_nested_beyond_all_measure_is_cut_and_not_followed() -> None:
    redactor = Redactor()
    redactor.add(SECRET)
    deep: Any = SECRET
    for _ in range(5_000):
        deep = [deep]
    assert HIDDEN.encode() in msgspec.json.encode(redactor.value(deep))


def test_the_last_of_those_given_while_it_runs_are_hidden_and_no_more_are_kept() -> None:
    redactor = Redactor()
    redactor.add("the-first-of-all")
    for number in range(100):
        redactor.add_passing(f"token-{number:04}")
    assert redactor.text("the-first-of-all") == HIDDEN
    shown = [number for number in range(100) if redactor.text(f"token-{number:04}") != HIDDEN]
    assert shown == list(range(100 - PASSING))


class Leaking:
    """Answers and raises with its secret."""

    def __init__(self, secret: str) -> None:
        self._secret = secret

    async def deliver(self, work: Work) -> Outcome:
        if work.attempt == 2:
            try:
                raise KeyError(self._secret)
            except KeyError as error:
                raise RuntimeError("it did not work") from error
        if work.attempt == 3:
            raise RuntimeError("it did not work either")
        return Outcome(Verdict.FINAL, f"sent {self._secret}")

    async def close(self) -> None: ...


class LeakingMore(Leaking):
    async def deliver_many(self, works: Sequence[Work]) -> list[Outcome]:
        return [await self.deliver(work) for work in works]


class LeakingModel(BatchModel):
    kind: Literal["leaking"]
    key: str


def _make(name: str, model: LeakingModel, around: Surroundings) -> Callable[[], Adapter]:
    secret = resolve(model.key, ("key",), around.secret)
    return lambda: Leaking(secret) if name == "one" else LeakingMore(secret)


def load(text: str) -> Any:
    return load_targets(text, "targets.yaml", Surroundings(lambda: 0, {"env:KEY": SECRET}.get))


@pytest.fixture
def target(monkeypatch: pytest.MonkeyPatch) -> Any:
    kinds = {"leaking": Kind("leaking", LeakingModel, _make), "log": LOG}
    monkeypatch.setattr("adapters.registry.kinds.find", kinds.get)
    return lambda name="police", more="": load(f"targets: {{{name}: {{kind: leaking, key: 'env:KEY'{more}}}}}")[name]


async def test_a_kind_of_somebody_else_need_not_think_of_it(target: Any) -> None:
    adapter = target().open()
    assert (await adapter.deliver(WORK)).reason == f"sent {HIDDEN}"
    (many,) = await adapter.deliver_many([WORK])
    assert many.reason == f"sent {HIDDEN}"


async def test_what_it_raises_stands_for_itself_unless_that_would_show_a_secret(target: Any) -> None:
    adapter = target().open()
    for deliver in (adapter.deliver, lambda work: adapter.deliver_many([work])):
        with pytest.raises(DeliveryError, match=r"RuntimeError: it did not work$") as caught:
            await deliver(WORK._replace(attempt=2))
        assert "tr0ub4dor" not in "".join(traceback.format_exception(caught.value))
        assert caught.value.__context__ is None
        with pytest.raises(RuntimeError, match="either"):
            await deliver(WORK._replace(attempt=3))


def test_batches_are_only_for_adapters_that_take_them(target: Any) -> None:
    assert target("one").open()
    with pytest.raises(TargetError, match="target `one`: Leaking has no `deliver_many`: remove `batch`"):
        target("one", ", batch: 2").open()
    assert target("many", ", batch: 2").batch == 2


def test_nothing_to_hide_costs_nothing() -> None:
    assert type(load("").pop("log").open()).__name__ == "LogAdapter"
