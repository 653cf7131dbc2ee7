"""The rules do what each sentence of the language says, as it was worked out by hand, for any number of partitions."""

from __future__ import annotations

from pathlib import Path

import pytest

from rules.compile import compile_rules
from rules.expectations import compare, document
from rules.given import event_of
from rules.load import load_sources
from rules.simulation import Simulation
from tests.oracle.judging import cases


@pytest.mark.parametrize("partitions", [1, 5])
@pytest.mark.parametrize(("file", "name"), [pytest.param(*case, id=f"{case[0].stem}: {case[1]}") for case in cases()])
def test_the_rules_do_what_the_sentence_says(file: Path, name: str, partitions: int) -> None:
    rules = load_sources({file.name: file.read_text("utf-8")})
    (test,) = (test for test in rules.tests if test.name == name)
    simulation = Simulation(compile_rules(rules), partitions)
    for attributes in test.given:
        simulation.event(event_of(attributes))
    simulation.finish(test.until)
    assert compare(test.expect, [document(command) for command in simulation.commands]) is None
