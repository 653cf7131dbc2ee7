"""The static check of a tree against what is known of its variables.

Rule loading calls `check` for every expression: unknown names and fields are refused with a suggestion, operations only
where they can never succeed (equality across types is false and so never refused). `check_constants` needs no types:
it refuses constant patterns, times and zones that can never be read. Both raise `CelCheckError` with the place; the
walk keeps a stack of its own, so no text is too deep for it.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping
from difflib import get_close_matches
from typing import Any

from rules.cel import nodes, times
from rules.cel.errors import CelCheckError, CelEvaluationError
from rules.cel.functions import FUNCTIONS, METHODS, pattern
from rules.cel.nodes import Node
from rules.cel.paths import is_further
from rules.cel.types import (
    ANY,
    BOOL,
    DURATION,
    INTEGER,
    NULL,
    NUMBER,
    STRING,
    TIMESTAMP,
    Function,
    ListOf,
    MapOf,
    Record,
    Type,
    family,
    join,
)

Environment = Mapping[str, Type]
_Visit = Generator[Any, Any, Type]
_FOREIGN = {"True": "true", "False": "false", "None": "null", "TRUE": "true", "FALSE": "false", "NULL": "null"}
_ORDERED = frozenset(kind.name for kind in (NUMBER, STRING, BOOL, TIMESTAMP, DURATION))
_SUMS = {
    "+": {(NUMBER, NUMBER): NUMBER, (STRING, STRING): STRING, (TIMESTAMP, DURATION): TIMESTAMP}
    | {(DURATION, TIMESTAMP): TIMESTAMP, (DURATION, DURATION): DURATION},
    "-": {(NUMBER, NUMBER): NUMBER, (TIMESTAMP, DURATION): TIMESTAMP}
    | {(TIMESTAMP, TIMESTAMP): DURATION, (DURATION, DURATION): DURATION},
}
_NAMED_SUMS = {
    operator: {(left.name, right.name): result for (left, right), result in table.items()}
    for operator, table in _SUMS.items()
}


def check(node: Node, env: Environment, text: str = "") -> Type:
    """The type of a tree whose free names are those of `env`. A `Function` in `env` may be called by its name."""
    check_constants(node, text)
    stack: list[_Visit] = [_Checker(text).visit(node, env)]
    answer: Type | None = None
    while True:
        try:
            stack.append(stack[-1].send(answer))
            answer = None
        except StopIteration as done:
            stack.pop()
            answer = done.value
            if not stack:
                assert answer is not None
                return answer


class _Checker:
    """`visit` is a generator: it yields the visit of a child and is sent the child's type."""

    def __init__(self, text: str) -> None:
        self.text = text

    def error(self, message: str, start: int, end: int, hint: str | None = None) -> CelCheckError:
        return CelCheckError(message, self.text, start, end, hint)

    def visit(self, node: Node, env: Environment) -> _Visit:
        match node:
            case nodes.Literal():
                return _literal(node)
            case nodes.Name():
                return self.name(node, env)
            case nodes.Select() | nodes.Has():
                operand = yield self.visit(node.operand, env)
                found = self.field(node, operand)
                return found if isinstance(node, nodes.Select) else BOOL
            case nodes.Index():
                operand = yield self.visit(node.operand, env)
                key = yield self.visit(node.key, env)
                return self.element(node, operand, key)
            case nodes.Unary():
                operand = yield self.visit(node.operand, env)
                wanted = BOOL if node.operator == "!" else NUMBER
                self.require(node.operand, operand, wanted, f"`{node.operator}`")
                return wanted
            case nodes.Binary():
                left = yield self.visit(node.left, env)
                right = yield self.visit(node.right, env)
                return self.binary(node, left, right)
            case nodes.Logic():
                for operand_node in node.operands:
                    operand = yield self.visit(operand_node, env)
                    self.require(operand_node, operand, BOOL, f"`{node.operator}`")
                return BOOL
            case nodes.Conditional():
                condition = yield self.visit(node.condition, env)
                self.require(node.condition, condition, BOOL, "`? :`")
                then = yield self.visit(node.then, env)
                otherwise = yield self.visit(node.otherwise, env)
                return join(then, otherwise)
            case nodes.ListLiteral():
                element: Type | None = None
                for item in node.items:
                    kind = yield self.visit(item, env)
                    element = kind if element is None else join(element, kind)
                return ListOf(element or ANY)
            case nodes.MapLiteral():
                made: Type = yield self.map(node, env)
                return made
            case nodes.Call():
                result: Type = yield self.call(node, env)
                return result
            case nodes.Comprehension():
                answer: Type = yield self.comprehension(node, env)
                return answer
            case nodes.Render():
                kind = STRING
                for part in node.parts:
                    kind = yield self.visit(part, env)
                return kind if node.whole else STRING
            case _:
                raise AssertionError(node)

    def name(self, node: nodes.Name, env: Environment) -> Type:
        known = env.get(node.name)
        if known is None:
            hint = _did_you_mean(node.name, env)
            raise self.error(f"unknown name `{node.name}`", node.start, node.end, hint)
        if isinstance(known, Function):
            raise self.error(f"`{node.name}` is a function", node.start, node.end, f"write `{node.name}(…)`")
        return known

    def field(self, node: nodes.Select | nodes.Has, operand: Type) -> Type:
        end = node.field_start + len(node.field)
        if isinstance(operand, Record):
            if node.field in operand.fields:
                return operand.fields[node.field][0]
            if not operand.open:
                hint = _did_you_mean(node.field, operand.fields)
                raise self.error(f"no field `{node.field}`", node.field_start, end, hint)
            return ANY
        if isinstance(operand, MapOf):
            return operand.value
        if operand is not ANY and operand is not NULL:
            raise self.error(f"`{node.field}`: {operand} has no fields", node.field_start, end)
        return ANY

    def element(self, node: nodes.Index, operand: Type, key: Type) -> Type:
        if isinstance(operand, ListOf):
            self.require(node.key, key, NUMBER, "the index of a list")
            return operand.element
        if isinstance(operand, Record):
            literal = node.key.value if isinstance(node.key, nodes.Literal) else None
            return operand.fields[literal][0] if isinstance(literal, str) and literal in operand.fields else ANY
        if isinstance(operand, MapOf):
            return operand.value
        if operand is not ANY:
            raise self.error(f"{operand} has no elements", node.operand.start, node.operand.end)
        return ANY

    def require(self, node: Node, kind: Type, wanted: Type, what: str) -> None:
        if family(kind) not in (None, family(wanted)):
            raise self.error(f"{what} needs {family(wanted)}, not {kind}", node.start, node.end)

    def binary(self, node: nodes.Binary, left: Type, right: Type) -> Type:
        operator, a, b = node.operator, family(left), family(right)
        place = node.operator_start, node.operator_start + len(operator)
        if operator in ("==", "!="):
            return BOOL
        if operator == "in":
            if b not in (None, "a list", "a map"):
                raise self.error(f"`in` needs a list or a map, not {right}", node.right.start, node.right.end)
            return BOOL
        if operator in ("<", "<=", ">", ">="):
            never = (a and a not in _ORDERED) or (b and b not in _ORDERED) or (a and b and a != b)
            if never:
                raise self.error(f"cannot compare {left} `{operator}` {right}", *place)
            return BOOL
        if operator in "*/%":
            if a not in (None, NUMBER.name) or b not in (None, NUMBER.name):
                raise self.error(f"`{operator}` cannot take {left} and {right}", *place)
            whole = left is INTEGER and right is INTEGER and operator != "/"
            return INTEGER if whole else NUMBER
        return self.sum(operator, left, right, place)

    def sum(self, operator: str, left: Type, right: Type, place: tuple[int, int]) -> Type:
        a, b = family(left), family(right)
        if operator == "+" and isinstance(left, ListOf) and isinstance(right, ListOf):
            return ListOf(join(left.element, right.element))
        if left is INTEGER and right is INTEGER:
            return INTEGER
        table = _NAMED_SUMS[operator]
        results = {result for (x, y), result in table.items() if a in (None, x) and b in (None, y)}
        if operator == "+" and {a, b} <= {None, "a list"}:
            results.add(ListOf(ANY))
        if not results:
            raise self.error(f"`{operator}` cannot take {left} and {right}", *place)
        return results.pop() if len(results) == 1 else ANY

    def map(self, node: nodes.MapLiteral, env: Environment) -> _Visit:
        value: Type | None = None
        for key_node, value_node in node.entries:
            key = yield self.visit(key_node, env)
            if family(key) not in (None, STRING.name, NUMBER.name, BOOL.name):
                raise self.error(f"{key} cannot be a key", key_node.start, key_node.end)
            kind = yield self.visit(value_node, env)
            value = kind if value is None else join(value, kind)
        return MapOf(value or ANY)

    def call(self, node: nodes.Call, env: Environment) -> _Visit:
        given = node.arguments if node.target is None else (node.target, *node.arguments)
        kinds: list[Type] = []
        for argument in given:
            kind = yield self.visit(argument, env)
            kinds.append(kind)
        end = node.name_start + len(node.function)
        if is_further(node):
            declared = env.get(node.function)
            if not isinstance(declared, Function):
                known = [*FUNCTIONS, *(name for name, kind in env.items() if isinstance(kind, Function))]
                hint = _did_you_mean(node.function, known)
                raise self.error(f"unknown function `{node.function}`", node.name_start, end, hint)
            parameters, result = declared.parameters, declared.result
            if parameters is not None and len(parameters) != len(kinds):
                wanted = len(parameters)
                message = f"`{node.function}` takes {wanted} argument{'s' * (wanted != 1)}, not {len(kinds)}"
                raise self.error(message, node.name_start, end)
        else:
            function = (FUNCTIONS if node.target is None else METHODS)[node.function]
            parameters, result = function.parameters, function.result
        for argument, kind, wanted_kind in zip(given, kinds, parameters or (), strict=False):
            if wanted_kind is not ANY:
                self.require(argument, kind, wanted_kind, f"`{node.function}`")
        if node.function == "size" and family(kinds[0]) not in (None, STRING.name, "a list", "a map"):
            raise self.error(f"{kinds[0]} has no size", given[0].start, given[0].end)
        return kinds[0] if node.function == "dyn" and node.target is None else result

    def comprehension(self, node: nodes.Comprehension, env: Environment) -> _Visit:
        over = yield self.visit(node.operand, env)
        if family(over) not in (None, "a list", "a map"):
            message = f"`{node.macro}` needs a list or a map, not {over}"
            raise self.error(message, node.operand.start, node.operand.end)
        element = over.element if isinstance(over, ListOf) else STRING if isinstance(over, Record) else ANY
        inner = {**env, node.variable: element}
        if node.predicate is not None:
            predicate = yield self.visit(node.predicate, inner)
            self.require(node.predicate, predicate, BOOL, f"`{node.macro}`")
        if node.transform is not None:
            return ListOf((yield self.visit(node.transform, inner)))
        return ListOf(element) if node.macro == "filter" else BOOL


def _literal(node: nodes.Literal) -> Type:
    match node.value:
        case None:
            return NULL
        case bool():
            return BOOL
        case int():
            return INTEGER
        case float():
            return NUMBER
        case str():
            return STRING


def _did_you_mean(word: str, known: Iterable[str]) -> str | None:
    close = [_FOREIGN[word]] if word in _FOREIGN else get_close_matches(word, list(known), 1, 0.6)
    return f"did you mean `{close[0]}`?" if close else None


def check_constants(node: Node, text: str = "") -> None:
    """Refuses constants that cannot be read: patterns, timestamps, durations, zones, keys that stand twice."""
    for part in nodes.walk(node):
        if isinstance(part, nodes.MapLiteral):
            _check_keys(part, text)
        if not isinstance(part, nodes.Call) or is_further(part) or not part.arguments:
            continue
        constant = part.arguments[-1]
        if not isinstance(constant, nodes.Literal) or not isinstance(constant.value, str):
            continue
        try:
            if part.function == "matches" and len(part.arguments) == (2 if part.target is None else 1):
                pattern(constant.value)
            elif part.function in ("timestamp", "duration") and part.target is None:
                FUNCTIONS[part.function].apply(None, constant.value)
            elif part.function in times.CALENDAR:
                times.zone(constant.value)
        except CelEvaluationError as error:
            raise CelCheckError(error.message, text, constant.start, constant.end) from None


def _check_keys(node: nodes.MapLiteral, text: str) -> None:
    seen: set[object] = set()
    for key, _ in node.entries:
        if isinstance(key, nodes.Literal):
            if key.value in seen:
                raise CelCheckError("the key stands twice in the map", text, key.start, key.end)
            seen.add(key.value)
