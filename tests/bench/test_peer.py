"""The peer does the engine's work: what it decides and keeps is the same, so its time may be compared."""

from pathlib import Path

import pytest

from bench.engine import Engine
from bench.peer import Customer, Peer
from bench.server import log_url
from streams.outputs import Command
from streams.state import decode_cell


def test_the_peer_decides_and_keeps_what_the_engine_does(tmp_path: Path) -> None:
    engine = Engine(log_url(tmp_path), keys=40, cached=80, events=1_500, warm=True)
    peer = Peer(str(tmp_path), keys=40, events=1_500)
    for _ in range(2):
        assert engine.round().done == peer.round().done
    _, outputs = engine.log.outputs(0, 0, 10_000)
    decided = {output.id: output for output in outputs if isinstance(output, Command)}
    stored = [peer.app.mapper.to_domain_event(each) for each in peer.app.recorder.select_notifications(1, 10_000)]
    theirs = {each.firing: each for each in stored if isinstance(each, Customer.Decided)}
    assert len(theirs) > 50
    assert theirs.keys() == decided.keys()
    for id, command in decided.items():
        assert (theirs[id].rule, theirs[id].cause) == (command.rule, command.cause)
        assert theirs[id].args == command.document()["args"]
    for name, value in engine.log.scan(0, "rules", "k", "", 1_000):
        (row,) = decode_cell(value).rows.values()
        customer = peer.app.customer(name[1:])
        assert (customer.orders, customer.largest, customer.country) == (row["orders"], row["largest"], row["country"])
        assert customer.spent == pytest.approx(row["spent"])
    engine.close()
    peer.close()
