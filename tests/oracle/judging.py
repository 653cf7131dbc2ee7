"""Sentences about the language: rule files whose `tests:` were worked out by hand, and what the oracle says to them.

Each file of `sentences/` is one rule set that any engine of the language can run; a test is named by the sentence that
it is about.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rules.expectations import compare
from rules.given import completed, event_of
from streams import rfc3339
from tests.oracle.document import Document, read
from tests.oracle.naive import Oracle

FILES = sorted((Path(__file__).parent / "sentences").glob("*.yaml"))


def told(document: Document, test: dict[str, Any], **settings: Any) -> Oracle:
    """The oracle after a test."""
    oracle = Oracle(document, shared=True, **settings)
    events = [event_of(completed(each, place)) for place, each in enumerate(test["given"], 1)]
    oracle.simulate(events, rfc3339.parse(test["until"]) if "until" in test else None)
    return oracle


def shown(output: tuple[Any, ...]) -> dict[str, Any]:
    _, id, command, rule, key, at, cause, args, shadow, to, _ = output
    made = {"id": id, "command": command, "to": to, "rule": rule, "key": key, "at": rfc3339.format(at), "cause": cause}
    return {**made, "args": args, **({"shadow": True} if shadow else {})}


def difference(oracle: Oracle, test: dict[str, Any]) -> str | None:
    """None, or how the commands differ from those that the test expects."""
    expected = [
        {**each, "at": rfc3339.format(rfc3339.parse(each["at"]))} if "at" in each else each for each in test["expect"]
    ]
    return compare(expected, [shown(output) for output in oracle.outputs if output[0] == "command"])


def cases() -> list[tuple[Path, str]]:
    return [(file, name) for file in FILES for name in read(file.read_text("utf-8")).tests]
