"""Files of Python rules: what cannot be used is refused when rules are loaded, at its place and with a remedy."""

from __future__ import annotations

import pytest

from rules.diagnostics import Diagnostic, RuleErrors
from rules.load import load_sources

HEAD = "from rules.python import Alert, Command, Emit, Event, rule\n"
GOOD = "@rule(on='a')\ndef r(event, state, now):\n    return []\n"


def refused(python: str, yaml: str = "ruleset: t\n") -> list[Diagnostic]:
    with pytest.raises(RuleErrors) as found:
        load_sources({"rules.yaml": yaml}, {"cards.py": python})
    assert all(each.file == "cards.py" for each in found.value.diagnostics)
    return list(found.value.diagnostics)


IMPURE = {
    "import time": "`now`",
    "import random as r": "event.id",
    "from uuid import uuid4": "event.id",
    "import os.path": "just compute",
    "import socket, json": "just compute",
    "import subprocess": "just compute",
    "from threading import Lock": "`state`",
    "import asyncio": "`after`",
    "import requests": "just compute",
    "from . import other": "just compute",
    "from rules.load import load_sources": "just compute",
    "from math import *": "name what",
    "x = open('f')": "`event` and `state`",
    "f = open": "`event` and `state`",
    "print(1)": "`Alert`",
    "h = hash('a')": "hashlib",
    "e = eval('1')": "`event` and `state`",
    "from datetime import datetime\nt = datetime.now()": "`now`",
    "from datetime import datetime as D\nt = D.utcnow": "`now`",
    "import datetime as dt\nt = dt.date.today()": "`now`",
    "def f(t):\n    return t.astimezone()": "UTC",
    "from datetime import datetime\nt = datetime.fromtimestamp(0)": "UTC",
    "N = 0\ndef f():\n    global N\n    N = 1": "`state`",
    "SEEN = []\ndef f():\n    SEEN.append(1)": "`state`",
    "SEEN = {}\ndef f():\n    SEEN['a']['b'] = 1": "`state`",
    "SEEN: dict = {}\ndef f():\n    del SEEN['a']": "`state`",
    "x = [a for a in {'a', 'b'}]": "sorted",
    "for a in set('ab'):\n    pass": "sorted",
    "x = list({1, 2})": "sorted",
}


@pytest.mark.parametrize("text", IMPURE)
def test_what_a_replay_could_not_repeat_is_refused_with_what_to_use_instead(text: str) -> None:
    first, *_ = refused(f"{HEAD}{text}\n{GOOD}")
    assert first.code == "impure"
    assert first.source_line in text.splitlines()
    assert first.hint is not None
    assert IMPURE[text] in first.hint


PURE = """
from __future__ import annotations
import json, math, re, statistics
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import ClassVar, NamedTuple

GOLD = {"gold", "platinum"}
TIERS = {}
TIERS["gold"] = 1

class Level(Enum):
    HIGH = "high"

@dataclass(frozen=True)
class Limit:
    most: int
    known: ClassVar[int] = 1

class Pair(NamedTuple):
    left: int

def since(event) -> bool:
    TIERS = {}
    TIERS["silver"] = 2
    return event.time.astimezone(UTC) - timedelta(days=1) < datetime.fromtimestamp(0, UTC) or "gold" in GOLD

@rule(on=["a", "b.*"], when="event.data.n > 1", state={"n": int})
def r(event: Event, state: dict, now: datetime) -> Iterable[Command]:
    return [Command(Level.HIGH.value, to="t", args={"most": Limit(3).most, "old": since(event), "left": Pair(1)})]
"""


def test_what_only_computes_may_be_imported_and_defined() -> None:
    python = PURE.replace("GOLD =", f"{HEAD}GOLD =", 1)
    ruleset = load_sources({"rules.yaml": "ruleset: t\n"}, {"cards.py": python})
    assert [rule.name for rule in ruleset.rules] == ["r"]
    assert ruleset.warnings == ()


MISTAKES = {
    "def f(:\n": (2, "this is no Python"),
    "x = 1 / 0\n": (2, "ZeroDivisionError: division by zero"),
    "import zlib\nraise SystemExit\n": (3, "SystemExit"),
    "x = 1\n": (1, "the file holds no rule"),
    GOOD + GOOD: (6, "stands twice"),
    "@rule(on='a')\nasync def f(event, state, now): ...\n": (2, "not `async def`"),
    "@rule(on='a')\ndef f(event): ...\n": (2, "three arguments"),
    "@rule(on='a')\nclass F: ...\n": (2, "stands above a function"),
    "@rule(on=[])\ndef f(event, state, now): ...\n": (2, "`on` is an event type"),
    "@rule(on='a*')\ndef f(event, state, now): ...\n": (2, "are patterns"),
    "@rule(on='orchestrator.tick')\ndef f(event, state, now): ...\n": (2, "the system's own"),
    "@rule(on='a', every=3)\ndef f(event, state, now): ...\n": (2, "unexpected keyword argument 'every'"),
    "@rule(on='a', by='event.')\ndef f(event, state, now): ...\n": (2, "`by`: the expression ends too early"),
    "@rule(on='a', state={'n': set})\ndef f(event, state, now): ...\n": (2, "no type that can be kept"),
    "@rule(on='a', state={'a b': int})\ndef f(event, state, now): ...\n": (2, "as Python names things"),
    "@rule(on='a', max_state=0)\ndef f(event, state, now): ...\n": (2, "`max_state` is a whole number"),
    "@rule(on='a', name=' x')\ndef f(event, state, now): ...\n": (2, "one line of text"),
    "@rule(on='a', when='evnt.id == \"x\"')\ndef f(event, state, now): ...\n": (2, "evnt"),
    "@rule(on='a', when='1 + 1')\ndef f(event, state, now): ...\n": (2, "true or false"),
}


@pytest.mark.parametrize("text", MISTAKES)
def test_a_file_that_cannot_be_used_is_refused_at_the_line(text: str) -> None:
    first, *_ = refused(HEAD + text)
    line, message = MISTAKES[text]
    assert (first.line, message in first.message) == (line, True), first.render()


def test_a_name_that_a_rule_file_has_already_is_refused() -> None:
    yaml = "ruleset: t\nrules: {r: {on: a, then: [{alert: x}]}}\n"
    (found,) = refused(HEAD + GOOD, yaml)
    assert found.code == "duplicate-name"
    assert "rules.yaml" in found.message


def test_rules_may_have_names_of_their_own() -> None:
    python = HEAD + GOOD.replace("on='a'", "on='a', name='block a card'")
    assert load_sources({"r.yaml": "ruleset: t\n"}, {"c.py": python}).rules[0].name == "block a card"
