"""`over` and `having`: from what a rule says to the trigger and its node."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rules import cel
from rules.aggregates import Aggregates
from rules.compile.firing import Firing
from rules.compile.framed import Compiler
from rules.compile.table import ROOT as TABLES
from rules.compile.triggers.closing import Closing
from rules.compile.triggers.looking import Looking
from rules.compile.triggers.sliding import Sliding
from rules.compile.triggers.trigger import Trigger
from rules.compile.variables import CORE, Frame
from rules.model import window as model
from rules.model.action import templates
from rules.model.rule import Rule
from rules.nodes.summary import Summaries
from rules.nodes.window_elements import Elements
from rules.nodes.window_last import LastWindow
from rules.nodes.window_session import SessionWindow
from rules.nodes.window_sliding import SlidingWindow
from rules.nodes.window_stepped import SteppedWindow
from rules.nodes.window_tumbling import TumblingWindow


def over(
    rule: Rule,
    id: str,
    rank: int,
    aggregates: Aggregates,
    let_values: Callable[[Frame], dict[str, Any]] | None,
    firing: Firing,
    compiler: Compiler,
) -> Trigger:
    """`id` is the node's, `rank` its place among what is due; the firing renders what `aggregates` found in `then`."""
    title = f"rule {rule.name}"
    columns = [(node, sorted(aggregates.of_column(place))) for place, node in enumerate(aggregates.columns)]
    arguments = compiler.arguments(f"{title} arguments", columns)
    having = None
    if aggregates.having is not None:
        having = compiler.condition(f"{title} having", aggregates.having.node, rule.let, aggregates=aggregates.asked)
    said = rule.window
    match said:
        case model.Sliding():
            sliding = SlidingWindow(id, rank, rule.name, said.span, said.limit, _elements(aggregates, timed=True))
            return Sliding(rule.name, sliding, arguments, having, aggregates, let_values, firing)
        case model.Last():
            last = LastWindow(id, said.count, _elements(aggregates, timed=False))
            return Looking(
                rule.name, last, (), arguments, having, aggregates.asked, aggregates.found, let_values, firing
            )
        case model.Stepped():
            stepped = SteppedWindow(id, rank, rule.name, said.span, said.step, _summaries(aggregates, said.limit))
            return Looking(
                rule.name,
                stepped,
                (stepped,),
                arguments,
                having,
                aggregates.asked,
                aggregates.found,
                let_values,
                firing,
            )
        case model.Tumbling():
            tumbling = TumblingWindow(
                id, rule.name, said.size, _summaries(aggregates, said.limit), _reads_data(rule, aggregates)
            )
            return Closing(rule.name, tumbling, rank, arguments, having, aggregates, let_values, firing)
        case model.Session():
            session = SessionWindow(
                id, rule.name, said.gap, _summaries(aggregates, said.limit), _reads_data(rule, aggregates)
            )
            return Closing(rule.name, session, rank, arguments, having, aggregates, let_values, firing)
        case None:
            raise AssertionError(rule.name)


def _using(aggregates: Aggregates, *functions: str) -> tuple[int, ...]:
    """The columns that one of these is asked of."""
    found = {each.column for each in aggregates.found if each.function in functions}
    return tuple(sorted(column for column in found if column is not None))


def _elements(aggregates: Aggregates, *, timed: bool) -> Elements:
    def using(*functions: str) -> tuple[int, ...]:
        return tuple(column + timed for column in _using(aggregates, *functions))

    columns = len(aggregates.columns) + timed
    return Elements(columns, timed, using("sum", "avg"), using("min", "max"), using("distinct"))


def _summaries(aggregates: Aggregates, limit: int) -> Summaries:
    def using(*functions: str) -> tuple[int, ...]:
        return _using(aggregates, *functions)

    ends = bool(using("first")), bool(using("last"))
    return Summaries(using("sum", "avg"), using("min", "max"), using("distinct"), ends, limit)


def _reads_data(rule: Rule, aggregates: Aggregates) -> bool:
    """Whether what happens at the end of a window reads more of its last event than its core attributes."""
    nodes = [] if aggregates.having is None else [aggregates.having.node]
    nodes += [text.node for action in aggregates.then for text in templates(action)]
    # a table has inputs of its own
    if any(TABLES in cel.names(node) for node in nodes):
        return True
    read = {path for node in nodes for path in cel.paths(node) if path[0] == "event"}
    return any(len(path) < 2 or path[1] == "data" or path[1] not in CORE for path in read)
