"""Rules that answer themselves come to an end: chains by their length, avalanches by their size."""

from rules.compile import compile_rules
from rules.load import load_sources
from rules.simulation import Simulation
from rules.step import MOST_DERIVED
from streams.outputs import Decision, Derived
from tests.agent.running import event

RULES = """
ruleset: avalanche
rules:
  more:
    on: x.*
    then: [{emit: x.a}, {emit: x.b}]
"""


def test_an_avalanche_of_derived_events_is_cut_off_and_the_next_event_begins_anew() -> None:
    simulation = Simulation(compile_rules(load_sources({"rules.yaml": RULES})))
    for number in (1, 2):
        simulation.event(event("x.first", "A", time=number))
        derived = [output for output in simulation.outputs if isinstance(output, Derived)]
        looped = [output for output in simulation.outputs if isinstance(output, Decision)]
        assert len(derived) == 2 * (1 + MOST_DERIVED) * number
        assert len(looped) == (2 + MOST_DERIVED) * number
        assert all("taken for a loop" in output.reason for output in looped)
