"""Server-sent events, however the network cuts them."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator_client import sse
from orchestrator_client.sse import Message, Parser, TooLong

STREAM = (
    "\ufeff: hello\nretry: 2500\n\n"
    'id: 1.0.1\ndata: {"a":\ndata:  1}\n\n'
    "id:1.0.2\r\nevent: row\r\ndata:ü\u2028z\r\n\r\n"
    "unknown: x\rdata\rid: 1.0.3\r\r"
    "id: no\0t\ndata: last\n\n"
    "id: 1.0.4\n\n"
    "id: 1.0.5\ndata: cut off"
).encode()
MESSAGES = [
    Message("message", '{"a":\n 1}', "1.0.1"),
    Message("row", "ü\u2028z", "1.0.2"),
    Message("message", "", "1.0.3"),
    Message("message", "last", "1.0.3"),
]


@given(st.sets(st.integers(0, len(STREAM))))
def test_messages_do_not_depend_on_how_the_stream_is_cut(cuts: set[int]) -> None:
    parser, found = Parser(), []
    for begin, end in itertools.pairwise([0, *sorted(cuts), len(STREAM)]):
        found += parser.feed(STREAM[begin:end])
    assert found == MESSAGES
    assert parser.last_id == "1.0.4"
    assert parser.retry == 2.5


def test_a_message_without_an_end_is_refused_and_not_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "LONGEST", 1000)
    for chunk in (b"data: " + b"x" * 300, b"data: x\n" * 10):
        parser = Parser()
        with pytest.raises(TooLong):
            list(map(parser.feed, [chunk] * 200))
