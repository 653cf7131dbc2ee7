"""The definition of what an expression means: a tree-walking evaluator with CEL's absorption of errors.

Fast code (`emit`) falls back to it whenever it meets anything unusual, and `explain` uses it to record each comparison
with the values read. It costs microseconds where fast code costs nanoseconds. It walks down left-leaning chains in a
loop, so its recursion is bounded by the nesting of brackets. `Evaluator.run` raises `CelEvaluationError` alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from rules.cel import limits, macros, nodes, operators, values
from rules.cel.errors import CelBudgetError, CelError, CelEvaluationError
from rules.cel.functions import FUNCTIONS, METHODS, pattern, search
from rules.cel.limits import Budget
from rules.cel.nodes import Node, first
from rules.cel.paths import is_further, path
from rules.cel.text import render


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that was looked at: a comparison, a test, or an error that was absorbed.

    `operator` is as in the text (`>`, `has`, `startsWith`), `operands` are the values read, `result` is the outcome, or
    the error.
    """

    start: int
    end: int
    operator: str
    operands: tuple[Any, ...]
    result: Any


@dataclass(frozen=True, slots=True)
class Explanation:
    """What happened: the value or the error, and every comparison with the values read, in order."""

    value: Any
    error: CelEvaluationError | None
    steps: tuple[Step, ...]


_Step = tuple[Node, Callable[..., Any]]
_Plan = tuple[Node, Callable[..., Any], tuple[_Step, ...]]


class Evaluator:
    """Evaluates one tree, and remembers how to walk it. Several threads may share it."""

    __slots__ = ("_counted", "_plans", "node")

    def __init__(self, node: Node) -> None:
        self.node = node
        self._counted = counted(node)
        self._plans: dict[Node, _Plan] = {}

    def run(self, variables: Mapping[Any, Any], trace: list[Step] | None = None) -> Any:
        """The value. `variables` maps free names, and call nodes of further functions, to values."""
        if not issubclass(type(variables), (dict, Mapping)):
            raise CelEvaluationError(f"variables are a mapping, not {type(variables).__name__}")
        node = self.node
        try:
            return _evaluate(node, _Run(variables, self._plans, Budget() if self._counted else None, trace))
        except CelError:
            raise
        except RecursionError:
            raise CelEvaluationError("the evaluation is nested too deeply", node.start, node.end) from None
        except Exception as error:  # a value that is none of CEL's can raise anything
            raise CelEvaluationError(f"cannot be evaluated: {type(error).__name__}", node.start, node.end) from None

    def explain(self, variables: Mapping[Any, Any]) -> Explanation:
        """The same, with the way there. Raises nothing."""
        steps: list[Step] = []
        try:
            return Explanation(self.run(variables, steps), None, tuple(steps))
        except CelEvaluationError as error:
            return Explanation(None, error, tuple(steps))


def counted(node: Node) -> bool:
    """Whether an evaluation needs a budget: all others do few things whose cost lies in the values."""
    weight = 0
    for part in nodes.walk(node):
        if isinstance(part, nodes.Comprehension):
            return True
        if isinstance(part, nodes.Call):
            weight += WEIGHTS.get(part.function, 0)
        elif isinstance(part, nodes.Binary) and part.operator not in ARITHMETIC and not bounded_by_text(part):
            weight += WEIGHTS.get(part.operator, 1)
    return weight > limits.MAX_UNCOUNTED


WEIGHTS = {"in": 16, "==": 8, "!=": 8, "matches": 9, "contains": 2}
"""What an operation may cost at worst, of a list or text as large as an event may be: 1 is 3 ms. One `in` or
match, or two equalities, are bounded by themselves and need no budget while they are the only ones."""


class _Run:
    __slots__ = ("bound", "budget", "plans", "trace", "variables")

    def __init__(
        self, variables: Mapping[Any, Any], plans: dict[Node, _Plan], budget: Budget | None, trace: list[Step] | None
    ) -> None:
        self.variables = variables
        self.plans = plans
        self.bound: dict[str, Any] = {}
        self.budget = budget
        self.trace = trace

    def note(self, node: Node, operator: str, operands: tuple[Any, ...], result: Any) -> None:
        if self.trace is not None:
            self.trace.append(Step(node.start, node.end, operator, operands, result))


def _evaluate(node: Node, state: _Run) -> Any:
    try:
        while isinstance(node, nodes.Conditional):
            node = node.then if _condition(node.condition, state) else node.otherwise
        leaf, evaluate, steps = state.plans.get(node) or _planned(node, state.plans)
        node = leaf
        value = evaluate(leaf, state)
        for node, step in steps:
            value = step(node, value, state)
        return value
    except CelEvaluationError as error:
        if error.offset is None:
            error.offset, error.end = node.start, node.end
        raise


def _planned(node: Node, plans: dict[Node, _Plan]) -> _Plan:
    """The leaf at the left end of a chain, and the steps from there up to the node."""
    steps: list[_Step] = []
    leaf = node
    while not isinstance(leaf, nodes.Has) and (left := first(leaf)) is not None:
        steps.append((leaf, _STEPS[leaf.__class__]))
        leaf = left
    plan = plans[node] = (leaf, _LEAVES[leaf.__class__], tuple(reversed(steps)))
    return plan


def _condition(node: Node, state: _Run) -> bool:
    value = _evaluate(node, state)
    if value is True or value is False:
        return value
    raise CelEvaluationError(f"a condition must be a boolean, not {values.kind(value)}", node.start, node.end)


# ---------------------------------------------------------------- nodes without a left operand


def _literal(node: nodes.Literal, state: _Run) -> Any:
    return node.value


def _variable(name: str, state: _Run) -> Any:
    if name in state.bound:
        return state.bound[name]
    if name in state.variables:
        return state.variables[name]
    raise CelEvaluationError(f"unknown name `{name}`")


def _name(node: nodes.Name, state: _Run) -> Any:
    value = _variable(node.name, state)
    if isinstance(value, CelEvaluationError):
        raise value.again()
    return value


def _has(node: nodes.Has, state: _Run) -> bool:
    fields = [node.field]
    root = node.operand
    while isinstance(root, nodes.Select):
        fields.append(root.field)
        root = root.operand
    value = _variable(root.name, state) if isinstance(root, nodes.Name) else _evaluate(root, state)
    result = values.has(value, *reversed(fields))
    state.note(node, "has", (), result)
    return result


def _logic(node: nodes.Logic, state: _Run) -> bool:
    decisive = node.operator == "||"
    failure: CelEvaluationError | None = None
    for operand in node.operands:
        try:
            if _condition(operand, state) is decisive:
                return decisive
        except CelBudgetError:
            raise
        except CelEvaluationError as error:
            state.note(operand, node.operator, (), error)
            failure = failure or error
    if failure is not None:
        raise failure
    return not decisive


def _list(node: nodes.ListLiteral, state: _Run) -> list[Any]:
    return [_evaluate(item, state) for item in node.items]


def _map(node: nodes.MapLiteral, state: _Run) -> dict[Any, Any]:
    return values.mapping([(_evaluate(key, state), _evaluate(value, state)) for key, value in node.entries])


def _render(node: nodes.Render, state: _Run) -> Any:
    return render(node.whole, *[_evaluate(part, state) for part in node.parts])


def _call(node: nodes.Call, state: _Run) -> Any:
    if is_further(node):
        if node not in state.variables:
            raise CelEvaluationError(f"`{node.function}` has no value here")
        value = state.variables[node]
        if isinstance(value, CelEvaluationError):
            raise value.again()
        return value
    target, *rest = node.arguments
    return _apply(node, FUNCTIONS[node.function].apply, _evaluate(target, state), tuple(rest), state)


# ---------------------------------------------------------------- nodes whose left operand has a value


def _select(node: nodes.Select, value: Any, state: _Run) -> Any:
    if value.__class__ is dict and node.field in value:
        found = value[node.field]
        if isinstance(found, CelEvaluationError):
            raise found.again()
        return found
    return values.field(value, node.field, ".".join(path(node) or (node.field,)))


def _index(node: nodes.Index, value: Any, state: _Run) -> Any:
    return values.index(value, _evaluate(node.key, state), state.budget)


def _unary(node: nodes.Unary, value: Any, state: _Run) -> Any:
    return values.negated(value) if node.operator == "!" else operators.negate(value)


def _binary(node: nodes.Binary, value: Any, state: _Run) -> Any:
    right = _evaluate(node.right, state)
    budget = None if bounded_by_text(node) else state.budget
    result = BINARY[node.operator](value, right, budget)
    if node.operator not in ARITHMETIC:
        state.note(node, node.operator, (value, right), result)
    return result


def _method(node: nodes.Call, value: Any, state: _Run) -> Any:
    return _apply(node, METHODS[node.function].apply, value, node.arguments, state)


def _apply(node: nodes.Call, apply: Callable[..., Any], value: Any, rest: tuple[Node, ...], state: _Run) -> Any:
    if node.function == "matches" and isinstance(rest[0], nodes.Literal) and isinstance(rest[0].value, str):
        arguments: tuple[Any, ...] = (value, rest[0].value)
        result: Any = search(state.budget, value, pattern(rest[0].value))
    else:
        arguments = (value, *[_evaluate(argument, state) for argument in rest])
        result = apply(state.budget, *arguments)
    if result is True or result is False:
        state.note(node, node.function, arguments, result)
    return result


def _comprehension(node: nodes.Comprehension, value: Any, state: _Run) -> Any:
    assert state.budget is not None
    budget, bound, variable = state.budget, state.bound, node.variable
    shadowed = bound.get(variable, bound)

    def inside(body: Node, element: Any, evaluate: Callable[[Node, _Run], Any]) -> Any:
        bound[variable] = element
        return evaluate(body, state)

    def test(element: Any) -> bool:
        assert node.predicate is not None
        return bool(inside(node.predicate, element, _condition))

    def transform(element: Any) -> Any:
        assert node.transform is not None
        return inside(node.transform, element, _evaluate)

    try:
        match node.macro:
            case "exists" | "all":
                return _absorbing(macros.visit(budget, node.cost, value), test, node.macro == "exists", state, node)
            case "exists_one":
                return macros.exists_one(budget, node.cost, value, test)
            case "filter":
                return macros.filtered(budget, node.cost, value, test)
            case _ if node.predicate is not None:
                return macros.mapped_where(budget, node.cost, value, test, transform)
            case _:
                return macros.mapped(budget, node.cost, value, transform)
    finally:
        if shadowed is bound:
            bound.pop(variable, None)
        else:
            bound[variable] = shadowed


def _absorbing(elements: Any, test: Callable[[Any], bool], decisive: bool, state: _Run, node: Node) -> bool:
    failure: CelEvaluationError | None = None
    for element in elements:
        try:
            if test(element) is decisive:
                return decisive
        except CelBudgetError:
            raise
        except CelEvaluationError as error:
            state.note(node, "exists" if decisive else "all", (element,), error)
            failure = failure or error
    if failure is not None:
        raise failure
    return not decisive


def bounded_by_text(node: nodes.Binary) -> bool:
    """Whether a comparison costs no more than the text says, so that fast code need not charge it."""
    if node.operator in ARITHMETIC:
        return False
    if node.operator == "in":
        return isinstance(node.right, nodes.ListLiteral) and all(
            isinstance(item, nodes.Literal) for item in node.right.items
        )
    return isinstance(node.left, nodes.Literal) or isinstance(node.right, nodes.Literal)


ARITHMETIC = frozenset("+-*/%")
BINARY: dict[str, Callable[..., Any]] = {
    "==": values.equal,
    "!=": values.unequal,
    "<": values.less,
    "<=": values.at_most,
    ">": values.greater,
    ">=": values.at_least,
    "in": values.contained,
    "+": operators.add,
    "-": operators.subtract,
    "*": operators.multiply,
    "/": operators.divide,
    "%": operators.modulo,
}
_LEAVES: dict[type, Callable[..., Any]] = {
    nodes.Literal: _literal,
    nodes.Name: _name,
    nodes.Has: _has,
    nodes.Logic: _logic,
    nodes.Conditional: _evaluate,
    nodes.ListLiteral: _list,
    nodes.MapLiteral: _map,
    nodes.Call: _call,
    nodes.Render: _render,
}
_STEPS: dict[type, Callable[..., Any]] = {
    nodes.Select: _select,
    nodes.Index: _index,
    nodes.Unary: _unary,
    nodes.Binary: _binary,
    nodes.Call: _method,
    nodes.Comprehension: _comprehension,
}
