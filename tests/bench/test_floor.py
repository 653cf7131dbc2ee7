"""The floor does the engine's work: what it decides and keeps is the same, so its time may be compared."""

from pathlib import Path
from typing import Any

import msgspec

from bench.engine import Engine
from bench.floor import Floor
from bench.server import log_url
from streams.outputs import Command
from streams.state import decode_cell


def test_the_floor_decides_and_keeps_what_the_engine_does(tmp_path: Path) -> None:
    options: dict[str, Any] = {"keys": 40, "cached": 10, "events": 1_500, "warm": True}
    engine, floor = Engine(url=log_url(tmp_path), **options), Floor(folder=str(tmp_path), **options)
    for _ in range(2):
        assert engine.round().done == floor.round().done
    first, outputs = engine.log.outputs(0, 0, 10_000)
    assert first == 1
    decided = [output.document() for output in outputs if isinstance(output, Command)]
    assert len(decided) > 50
    assert {command["rule"] for command in decided} == {"large-order", "bulky-order"}
    assert [each["id"] for each in decided] == [each["id"] for each in floor.commands()]
    assert [each["args"] for each in decided] == [each["args"] for each in floor.commands()]
    for name, value in engine.log.scan(0, "rules", "k", "", 1_000):
        cell = decode_cell(value)
        (row,) = cell.rows.values()
        assert {**row, "clock": cell.clock} == floor.row(name[1:])
    engine.close()
    floor.close()


def test_rows_that_left_the_floors_cache_are_read_from_its_table(tmp_path: Path) -> None:
    floor = Floor(folder=str(tmp_path), keys=50, cached=5, events=500, warm=True)
    before = msgspec.to_builtins(floor.row("customer-0000007"))
    floor.flush()
    assert floor.row("customer-0000007") == before
    floor.round()
    floor.flush()
    assert sum(floor.row(f"customer-{number:07d}")["orders"] for number in range(50)) == 550
    floor.close()
