"""What a request consists of, for one command or for a batch: as it is, as CloudEvents 1.0, or as a
message for Slack.

The same commands make the same bytes at every attempt.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple
from urllib.parse import quote

import msgspec

from adapters.targets.webhook import slack
from adapters.template import Template
from adapters.work import Work

JSON: Final = "application/json"
STRUCTURED: Final = "application/cloudevents+json"
BATCH: Final = "application/cloudevents-batch+json"
TYPE: Final = "orchestrator.command.${command.command}"
SOURCE: Final = "/rules/${command.rule}"
Format = Literal["plain", "cloudevents-binary", "cloudevents-structured", "slack"]
_PRINTABLE: Final = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) not in '"%')


class Message(NamedTuple):
    id: str
    """`webhook-id`."""
    headers: dict[str, str]
    body: bytes


class _Command(msgspec.Struct):
    id: str
    command: str
    to: str
    rule: str
    key: str
    at: str
    cause: str
    args: msgspec.Raw


@dataclass(frozen=True, slots=True)
class Shape:
    format: Format = "plain"
    type: Template = field(default_factory=lambda: Template(TYPE))
    source: Template = field(default_factory=lambda: Template(SOURCE))

    def one(self, work: Work) -> Message:
        """Raises TemplateError."""
        if self.format == "plain":
            return Message(work.id, {"content-type": JSON}, work.body)
        if self.format == "slack":
            return Message(work.id, {"content-type": JSON}, slack.message(work.body))
        command = msgspec.json.decode(work.body, type=_Command)
        attributes = self._attributes(command, work.body)
        if self.format == "cloudevents-structured":
            return Message(work.id, {"content-type": STRUCTURED}, _structured(attributes, command))
        headers = {f"ce-{name}": quote(value, safe=_PRINTABLE) for name, value in attributes.items()}
        return Message(work.id, {"content-type": JSON, **headers}, bytes(command.args))

    def many(self, works: Sequence[Work]) -> Message:
        """An array, also of one. Raises TemplateError."""
        id = batch_id([work.id for work in works])
        if self.format == "plain":
            return Message(id, {"content-type": JSON}, _array([work.body for work in works]))
        assert self.format == "cloudevents-structured", "the others have no batches"
        return Message(id, {"content-type": BATCH}, _array([self.one(work).body for work in works]))

    def _attributes(self, command: _Command, body: bytes) -> dict[str, str]:
        """Those of the context but for the content's type, by name."""
        all = msgspec.json.decode(body)
        found = {
            "specversion": "1.0",
            "id": command.id,
            "source": self.source.render(all, lambda text: quote(text, safe="")),
            "type": self.type.render(all),
            "subject": command.key,
            "time": command.at,
            "rule": command.rule,
            "cause": command.cause,
        }
        return {name: value for name, value in found.items() if value}


def batch_id(ids: Sequence[str]) -> str:
    """The same for the same commands, in whatever order."""
    return "batch_" + hashlib.sha256("\n".join(sorted(ids)).encode()).hexdigest()[:32]


def in_order(works: Sequence[Work]) -> list[Work]:
    """By the time of the decision, then by id: the same commands are the same batch, whoever leased them."""

    def key(work: Work) -> tuple[str, str]:
        at = msgspec.json.decode(work.body, type=_When).at
        return at.removesuffix("Z"), work.id

    return sorted(works, key=key)


class _When(msgspec.Struct):
    at: str


def _structured(attributes: dict[str, str], command: _Command) -> bytes:
    return msgspec.json.encode({**attributes, "datacontenttype": JSON, "data": command.args})


def _array(bodies: Sequence[bytes]) -> bytes:
    return b"[" + b",".join(bodies) + b"]"
