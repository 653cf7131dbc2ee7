"""Server-sent events (WHATWG HTML, 9.2), from bytes to messages. No network here."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

LONGEST: Final = 16 << 20
"""Bytes of one message."""
_LINE_END: Final = re.compile(rb"\r\n|\n|\r")


class Message(NamedTuple):
    event: str
    data: str
    id: str
    """What resumes behind it."""


class TooLong(Exception):
    """A message of more than LONGEST bytes."""


class Parser:
    """Of one connection. Lines end with CR, LF or both, wherever the chunks are cut."""

    def __init__(self, last_id: str = "") -> None:
        self.last_id = last_id
        """Of the newest whole message, so that one which was cut off comes again."""
        self.retry: float | None = None
        """Seconds before connecting anew, as the server wishes."""
        self._rest = b""
        self._begun = False
        self._event = ""
        self._id = last_id
        self._data: list[str] = []
        self._size = 0

    def feed(self, chunk: bytes) -> list[Message]:
        """Raises TooLong."""
        text = self._rest + chunk
        if not self._begun:
            if len(text) < 3 and b"\xef\xbb\xbf".startswith(text):
                self._rest = text
                return []
            text, self._begun = text.removeprefix(b"\xef\xbb\xbf"), True
        held = text.endswith(b"\r")  # the LF of it may come with the next chunk
        lines = _LINE_END.split(text[:-1] if held else text)
        self._rest = lines.pop() + (b"\r" if held else b"")
        if len(self._rest) + self._size > LONGEST:
            raise TooLong
        return [message for line in lines if (message := self._line(line.decode("utf-8", "replace"))) is not None]

    def _line(self, line: str) -> Message | None:
        if not line:
            return self._whole()
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            self._data.append(value)
            self._size += len(value)
        elif name == "event":
            self._event = value
        elif name == "id" and "\0" not in value:
            self._id = value
        elif name == "retry" and value.isascii() and value.isdigit():
            self.retry = int(value) / 1000
        return None

    def _whole(self) -> Message | None:
        self.last_id = self._id
        event, data = self._event or "message", self._data
        self._event, self._data, self._size = "", [], 0
        return Message(event, "\n".join(data), self._id) if data else None
