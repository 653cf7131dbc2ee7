"""From what producers send to `Event`: the one door through which events from outside enter, whatever carried them.

HTTP, the importer, `simulate` and rule tests call it. It refuses what breaks CloudEvents 1.0 or could not be stored,
keyed or replayed, and says which attribute, why and what to do. What passes is canonical: time in microseconds, `data`
one line of valid JSON. Pure (the wall clock is handed in), so safe from any thread; about 3 µs for an event.

Of two attributes with one name the last counts, as in most JSON readers. An attribute that is null is absent.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from streams.event import CONTROL, NULL, OUTSIDE, RESERVED, TICK, Event, fingerprint
from streams.rfc3339 import format, parse

EXTENSION_NAME: Final = re.compile(r"[a-z0-9]{1,20}", re.ASCII)
INTEGERS: Final = range(-(2**31), 2**31)
_JSON_CONTENT: Final = re.compile(r"\s*[\w.+-]+/(?:[\w.+-]+\+)?json\s*(?:;.*)?", re.ASCII | re.IGNORECASE)
_MASK: Final = bytes.maketrans(b"123456789E", b"000000000e")
"""One shape for all digits and exponents, so that a search finds what may be a number out of range."""
_BEYOND_DOUBLE: Final = b"0" * 309
_PLAIN: Final = frozenset(("id", "source", "type", "specversion", "time", "subject", "data"))


class IntakeError(ValueError):
    """One event is refused. `field` is the attribute ("" for the whole), `index` its place in a batch."""

    def __init__(self, field: str, message: str, remedy: str) -> None:
        super().__init__(field, message, remedy)
        self.field = field
        self.message = message
        self.remedy = remedy
        self.index: int | None = None

    def __str__(self) -> str:
        where = f"event {self.index}: " if self.index is not None else ""
        what = f"`{self.field}` {self.message}" if self.field else self.message
        return f"{where}{what}; {self.remedy}"


class _Plain(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """The attributes that nearly all events have. Anything else takes the careful path."""

    id: str
    source: str
    type: str
    specversion: str = "1.0"
    time: str | None = None
    subject: str | None = None
    data: msgspec.Raw = NULL


_plain = msgspec.json.Decoder(_Plain).decode
_attributes = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_array = msgspec.json.Decoder(list[msgspec.Raw]).decode
_value = msgspec.json.Decoder().decode


@dataclass(frozen=True, slots=True)
class Intake:
    """How strict a door is. Sizes in bytes of JSON, times in microseconds."""

    max_bytes: int = 256 * 1024
    max_depth: int = 64
    max_ahead: int | None = 5 * 60 * 1_000_000
    """How far an event's time may lie ahead of `now`; None: any distance."""
    ticks: bool = False
    """`orchestrator.tick` is let in (`simulate`); other reserved types never are."""
    fingerprints: bool = True
    """False leaves them 0, for who tells duplicates by the names themselves: a fifth of the time."""

    def from_json(self, body: bytes | msgspec.Raw, now: int | None) -> Event:
        """One event from its JSON text. `now`, in microseconds, is the time of an event that says none, and what
        "ahead" is measured from; None: there is no clock here, and every event has to say its time. IntakeError."""
        text = bytes(body)
        if len(text) > self.max_bytes:
            raise self._too_large(len(text))
        masked = text.translate(_MASK)
        try:
            plain = _plain(text)
            if b"0e" in masked or not text.isascii():
                _value(plain.data)  # numbers out of range and bad UTF-8 are found only where msgspec decodes
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return self._from_json_carefully(text, now)
        if (
            not plain.id
            or not plain.source
            or not plain.type
            or plain.specversion != "1.0"
            or b"\n" in text
            or b"\r" in text
            or _BEYOND_DOUBLE in masked
            or text.count(b"{") + text.count(b"[") > self.max_depth
        ):
            return self._from_json_carefully(text, now)
        return self._event(plain.type, plain.time, None, plain.subject, plain.source, plain.id, plain.data, None, now)

    def past_from_json(self, body: bytes | msgspec.Raw, now: int) -> Event:
        """One event of history, which has to say its time. IntakeError."""
        event = self.from_json(body, None)
        self._not_ahead(event.time, now)
        return event

    def _from_json_carefully(self, text: bytes, now: int | None) -> Event:
        return self.from_attributes(_read_object(text, self.max_depth), now)

    def many_from_json(self, body: bytes, now: int | None) -> list[Event]:
        """The events of a JSON array. All or none: an IntakeError carries the index of the first that is refused."""
        try:
            items = _array(body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise _blame_batch(body, error) from None
        events = []
        for index, item in enumerate(items):
            try:
                events.append(self.from_json(item, now))
            except IntakeError as error:
                error.index = index
                raise
        return events

    def from_object(self, attributes: Mapping[str, Any], now: int | None) -> Event:
        """One event from a mapping of attributes to Python values; `data` is anything that is JSON. IntakeError."""
        if "data" not in attributes:
            return self.from_attributes(attributes, now)
        data = attributes["data"]
        try:
            text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
        except UnicodeEncodeError:
            raise IntakeError("data", "holds a lone surrogate", "send valid Unicode") from None
        except (TypeError, ValueError, RecursionError) as error:
            raise IntakeError("data", f"is not JSON ({error})", "send a JSON value") from None
        return self.from_attributes({**attributes, "data": msgspec.Raw(text)}, now)

    def from_attributes(self, attributes: Mapping[str, Any], now: int | None) -> Event:
        """The careful path: attributes decoded, `data` still JSON text as `msgspec.Raw`, such as HTTP's binary mode
        has them. Raises IntakeError."""
        found = {name: value for name, value in attributes.items() if value is not None}
        version = found.pop("specversion", "1.0")
        if version != "1.0":
            raise IntakeError("specversion", f"is {_shown(version)}", 'send "1.0", the only version there is')
        if "data_base64" in found:
            raise IntakeError("data_base64", "is not supported", "send JSON in `data`")
        id, source, type = (_text(found, name, required=True) for name in ("id", "source", "type"))
        time = _text(found, "time") if "time" in found else None
        subject = _text(found, "subject", empty=True)
        partitionkey = _text(found, "partitionkey") if "partitionkey" in found else None
        content = _text(found, "datacontenttype") if "datacontenttype" in found else "application/json"
        if not _JSON_CONTENT.fullmatch(content):
            raise IntakeError("datacontenttype", f"is {_shown(content)}", "send JSON: only application/json is read")
        data = found.get("data", NULL)
        assert isinstance(data, msgspec.Raw), "callers hand over `data` as JSON text"
        data = self._checked(data)
        extensions = {name: _extension(name, value) for name, value in found.items() if name not in _PLAIN}
        return self._event(type, time, partitionkey, subject, source, id, data, extensions or None, now)

    def _event(
        self,
        type: str,
        time: str | None,
        partitionkey: str | None,
        subject: str | None,
        source: str,
        id: str,
        data: msgspec.Raw,
        extensions: dict[str, str | int | bool] | None,
        now: int | None,
    ) -> Event:
        """What both paths check: everything but the form of each attribute."""
        kind = OUTSIDE
        if type.startswith(RESERVED):
            kind = CONTROL
            if not self.ticks or type != TICK:
                raise IntakeError("type", f"is {_shown(type)}", f"`{RESERVED}…` is the system's own, choose another")
        if time is None:
            if now is None:
                raise IntakeError("time", "is missing", "there is no clock to take it from: every event says its time")
            micros = now
        else:
            try:
                micros = parse(time)
            except ValueError as error:
                raise IntakeError("time", f"is refused: {error}", "send RFC 3339 with an offset or Z") from None
            if now is not None:
                self._not_ahead(micros, now)
        subject = subject or ""
        key = partitionkey if partitionkey is not None else subject
        mark = fingerprint(source, id) if self.fingerprints else 0
        return Event(type, micros, key, subject, source, id, mark, data, kind, 0, extensions)

    def _not_ahead(self, time: int, now: int) -> None:
        if self.max_ahead is not None and time - now > self.max_ahead:
            raise IntakeError(
                "time",
                f"is {format(time)}, more than {self.max_ahead // 60_000_000} minutes ahead of the clock",
                "check the producer's clock",
            )

    def _checked(self, data: msgspec.Raw) -> msgspec.Raw:
        """`data` that can be decoded, in bounds, on one line as the log's JSON lines need it."""
        text = bytes(data)
        if len(text) > self.max_bytes:
            raise self._too_large(len(text))
        _check_depth(text, self.max_depth, "data")
        try:
            _check_numbers(_value(text))
        except UnicodeDecodeError:
            raise IntakeError("data", "is not UTF-8", "send JSON in UTF-8") from None
        except msgspec.MsgspecError as error:
            raise IntakeError(
                "data", f"cannot be read: {error}", "send valid JSON, numbers as a double holds"
            ) from None
        if b"\n" in text or b"\r" in text:
            text = msgspec.json.format(text, indent=-1)
        return msgspec.Raw(text)

    def _too_large(self, size: int) -> IntakeError:
        return IntakeError(
            "",
            f"the event has {size:,} bytes, more than the {self.max_bytes:,} allowed",
            "store the content elsewhere and send a reference to it in `dataref`",
        )


def _read_object(text: bytes, max_depth: int) -> dict[str, Any]:
    """The attributes of an envelope, `data` left as text. Explains bodies that are no JSON object."""
    try:
        text.decode()
    except UnicodeDecodeError as error:
        raise IntakeError("", f"the event is not UTF-8 (byte {error.start})", "send JSON in UTF-8") from None
    _check_depth(text, max_depth + 1, "data")
    try:
        found: dict[str, Any] = dict(_attributes(text))
    except msgspec.ValidationError:
        raise IntakeError("", "an event must be a JSON object", "send one CloudEvent as an object") from None
    except msgspec.DecodeError as error:
        raise _blame(text, error) from None
    for name, value in found.items():
        if name != "data":
            try:
                found[name] = _value(value)
            except msgspec.MsgspecError as error:
                raise IntakeError(name, f"cannot be read: {error}", "send a string, an integer or a boolean") from None
    if found.get("data") == b"null":
        del found["data"]
    return found


def _blame(text: bytes, error: Exception) -> IntakeError:
    """Names the attribute that is to blame, with the help of a reader that lets more pass."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    for name, value in found.items() if isinstance(found, dict) else ():
        try:
            json.dumps([name, value], ensure_ascii=False, allow_nan=False).encode()
        except UnicodeEncodeError:
            return IntakeError(_printable(name), "holds a lone surrogate", "send valid Unicode")
        except ValueError:
            return IntakeError(name, "holds NaN or Infinity, which is not valid JSON", "send a number, text or null")
    return IntakeError("", f"the event is not valid JSON: {error}", "send one CloudEvent as an object")


def _blame_batch(body: bytes, error: Exception) -> IntakeError:
    """A lone surrogate is the one mistake inside an event that lets no reader find the end of the array."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        found = None
    for index, item in enumerate(found) if isinstance(found, list) else ():
        for name, value in item.items() if isinstance(item, dict) else ():
            try:
                json.dumps([name, value], ensure_ascii=False).encode()
            except UnicodeEncodeError:
                blamed = IntakeError(_printable(name), "holds a lone surrogate", "send valid Unicode")
                blamed.index = index
                return blamed
    return IntakeError("", f"the batch is no JSON array of events ({error})", "send an array of CloudEvents")


def _printable(name: str) -> str:
    return name[:60].encode("ascii", "backslashreplace").decode()


def _text(found: Mapping[str, Any], name: str, required: bool = False, empty: bool = False) -> str:
    value = found.get(name)
    if value is None:
        if required:
            raise IntakeError(name, "is missing", "every event needs `id`, `source` and `type`")
        return ""
    if not isinstance(value, str):
        raise IntakeError(name, f"is {_shown(value)}", "send a string")
    if not value and not empty:
        raise IntakeError(name, "is empty", "send text" if required else "send text, or leave it out")
    return _unicode(name, value)


def _extension(name: str, value: Any) -> str | int | bool:
    if not EXTENSION_NAME.fullmatch(name):
        raise IntakeError(
            _printable(name) or '""',
            "is no name of an attribute",
            "extension attributes have 1 to 20 characters, a-z and 0-9; put other fields into `data`",
        )
    if isinstance(value, bool):
        return value
    if isinstance(value, int) and value in INTEGERS:
        return value
    if not isinstance(value, str):
        raise IntakeError(
            name,
            f"is {_shown(value)}",
            "extension attributes are strings, 32-bit integers or booleans; put it into `data`",
        )
    return _unicode(name, value)


def _unicode(name: str, value: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError:
        raise IntakeError(name, "holds a lone surrogate", "send valid Unicode") from None
    return value


def _check_depth(text: bytes, most: int, field: str) -> None:
    """Counts brackets outside strings; text need not be valid JSON."""
    depth = 0
    for found in re.finditer(rb'"(?:[^"\\]|\\.)*"?|[\[{]|[\]}]', text, re.DOTALL):
        token = found[0]
        if token in b"[{":
            depth += 1
            if depth > most:
                raise IntakeError(field, f"is nested deeper than {most} levels", "send flatter data")
        elif token in b"]}":
            depth -= 1


def _check_numbers(value: Any) -> None:
    """Whole numbers that no double can hold are refused as their spelling with an exponent is."""
    waiting = [value]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value
        elif isinstance(value, int) and abs(value) >= 2**1024:
            raise IntakeError("data", "holds a number out of range", "send numbers that a double holds, or text")


def _shown(value: Any) -> str:
    text = json.dumps(value, default=str)
    return text if len(text) <= 60 else text[:57] + "..."
