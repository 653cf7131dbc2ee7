"""Emission of one tree as a Python `ast` expression; `emit` says what such code promises.

One method for each kind of node. What is known of a value without evaluating it (`type_of`) decides which guards can be
left out: a guard stands only where Python would answer something else than CEL, without raising (`True > 0`,
`"a" in ["a"]`). Everything that is not plain Python is a call of one of `helpers`.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping

from rules.cel import exact, nodes
from rules.cel.errors import CelError, CelEvaluationError
from rules.cel.functions import FUNCTIONS, METHODS, pattern
from rules.cel.helpers import NAMES
from rules.cel.nodes import Node
from rules.cel.paths import Path, is_further, path
from rules.cel.pycode import assigned, call, class_is, constant_set, identical, name, number
from rules.cel.scope import Scope
from rules.cel.types import ANY, BOOL, INTEGER, NULL, NUMBER, STRING, ListOf, MapOf, Record, Type, family, join

_SMALL = 2**52
_COMPARE: dict[str, type[ast.cmpop]] = {
    "==": ast.Eq,
    "!=": ast.NotEq,
    "<": ast.Lt,
    "<=": ast.LtE,
    ">": ast.Gt,
    ">=": ast.GtE,
}


class Emitter:
    """Emission of one tree. `bound` maps variables of macros to the parameters of the lambdas around."""

    def __init__(self, scope: Scope, budget: str | None) -> None:
        self.scope = scope
        self.budget_name = budget
        self.bound: dict[str, tuple[str, Type]] = {}

    # ------------------------------------------------------------ what is known of a value without evaluating it

    def type_of(self, node: Node) -> Type:
        match node:
            case nodes.Literal():
                return _LITERAL[node.value.__class__]
            case nodes.Name(name=name) if name in self.bound:
                return self.bound[name][1]
            case nodes.Name() | nodes.Select():
                found = path(node)
                free = found is not None and found[0] not in self.bound
                return (self.scope.type_of(found) if found and free else None) or ANY
            case nodes.Has() | nodes.Logic():
                return BOOL
            case nodes.Unary():
                return BOOL if node.operator == "!" else NUMBER
            case nodes.Binary(operator="*" | "/" | "%"):
                return NUMBER
            case nodes.Binary(operator="+" | "-" as operator):
                # a number or a string goes with nothing but its like, else there is no value
                operands = family(self.type_of(node.left)), family(self.type_of(node.right))
                if NUMBER.name in operands:
                    return NUMBER
                return STRING if operator == "+" and STRING.name in operands else ANY
            case nodes.Binary():
                return BOOL
            case nodes.Conditional():
                return join(self.type_of(node.then), self.type_of(node.otherwise))
            case nodes.Call() if not is_further(node):
                return (FUNCTIONS if node.target is None else METHODS)[node.function].result
            case nodes.Comprehension():
                return ListOf(ANY) if node.macro in ("filter", "map") else BOOL
            case _:
                return ANY

    def _is_number(self, node: Node) -> bool:
        return family(self.type_of(node)) == NUMBER.name

    def _is_string(self, node: Node) -> bool:
        return self.type_of(node) is STRING

    # ------------------------------------------------------------ code

    def budget(self) -> ast.expr:
        return ast.Constant(None) if self.budget_name is None else name(self.budget_name)

    def truth(self, node: Node) -> ast.expr:
        """Code whose value is `True` or `False`."""
        code = self.value(node)
        if self.type_of(node) is BOOL:
            return code
        if isinstance(code, ast.Constant):
            return call("refuse", code)
        code, again = self._twice(code)
        refused = ast.BoolOp(ast.And(), [identical(again, False, negated=True), call("refuse", again)])
        return ast.BoolOp(ast.Or(), [identical(code, True), refused])

    def _twice(self, code: ast.expr) -> tuple[ast.expr, ast.expr]:
        """Code for a value, and code for the same value once the first has run."""
        if isinstance(code, (ast.Name, ast.Constant)):
            return code, code
        temporary = self.scope.temporary()
        return assigned(temporary, code), name(temporary)

    def value(self, node: Node) -> ast.expr:
        match node:
            case nodes.Literal():
                return ast.Constant(node.value)
            case nodes.Name() | nodes.Select():
                return self._path(node)
            case nodes.Has():
                return self._has(node)
            case nodes.Index():
                return self._charged("index", self.value(node.operand), self.value(node.key))
            case nodes.Unary(operator="!"):
                return ast.UnaryOp(ast.Not(), self.truth(node.operand))
            case nodes.Unary():
                return call("negate", self.value(node.operand))
            case nodes.Binary():
                return self._binary(node)
            case nodes.Logic():
                operator = ast.And() if node.operator == "&&" else ast.Or()
                return ast.BoolOp(operator, [self.truth(operand) for operand in node.operands])
            case nodes.Conditional():
                return ast.IfExp(self.truth(node.condition), self.value(node.then), self.value(node.otherwise))
            case nodes.ListLiteral():
                return ast.List([self.value(item) for item in node.items], ast.Load())
            case nodes.MapLiteral():
                return self._map(node)
            case nodes.Call():
                return self._function(node)
            case nodes.Comprehension():
                return self._comprehension(node)
            case nodes.Render():
                return call("render", ast.Constant(node.whole), *[self.value(part) for part in node.parts])
            case _:
                raise AssertionError(node)

    def _charged(self, helper: str, *arguments: ast.expr) -> ast.expr:
        budget = () if self.budget_name is None else (self.budget(),)
        return call(helper, *arguments, *budget)

    def _path(self, node: nodes.Name | nodes.Select) -> ast.expr:
        found = path(node)
        if isinstance(node, nodes.Name) and node.name in self.bound:
            return name(self.bound[node.name][0])
        if found is None or found[0] in self.bound:
            assert isinstance(node, nodes.Select)
            operand = self.value(node.operand)
            if isinstance(operand, (ast.Subscript, ast.Name, ast.Call)):
                return ast.Subscript(operand, ast.Constant(node.field), ast.Load())
            # Python warns where it sees that a display has no such key
            return call("field", operand, ast.Constant(node.field))
        prefix, code = self._prefix(found)
        if prefix == found and self.scope.fallible(prefix):
            return call("read", code)
        for key in found[len(prefix) :]:
            code = ast.Subscript(code, ast.Constant(key), ast.Load())
        return code

    def _prefix(self, found: Path) -> tuple[Path, ast.expr]:
        prefix = self.scope.prefix(found)
        code = self.scope.load(prefix) if prefix else None
        if prefix is None or code is None:
            raise CelError(f"unknown name `{found[0]}`")
        return prefix, code

    def _has(self, node: nodes.Has) -> ast.expr:
        names = [node.field]
        root = node.operand
        while isinstance(root, nodes.Select):
            names.append(root.field)
            root = root.operand
        names.reverse()
        if not isinstance(root, nodes.Name) or root.name in self.bound:
            return call("has", self.value(root), *map(ast.Constant, names))
        full = (root.name, *names)
        prefix, code = self._prefix(full)
        rest = full[len(prefix) :]
        if not rest:
            return call("present", code) if self.scope.fallible(prefix) else ast.Constant(True)
        if len(rest) > 1:
            return call("has", code, *map(ast.Constant, rest))
        asked = ast.Compare(ast.Constant(rest[0]), [ast.In()], [code])
        if isinstance(self.scope.type_of(prefix), (MapOf, Record)) and not self.scope.fallible(prefix):
            return asked
        if not isinstance(code, ast.Name):
            return call("has", code, ast.Constant(rest[0]))
        return ast.IfExp(class_is(code, "dict"), asked, call("has", code, ast.Constant(rest[0])))

    def _binary(self, node: nodes.Binary) -> ast.expr:
        operator = node.operator
        if operator in ("==", "!="):
            code = self._equality(node)
        elif operator in _COMPARE:
            code = self._order(node)
        elif operator == "in":
            code = self._membership(node)
        else:
            code = None
        if code is not None:
            return code
        arguments = self.value(node.left), self.value(node.right)
        if operator in "+-*" and self._is_number(node.left) and self._is_number(node.right):
            return self._numbers(node, *arguments)
        if exact.bounded_by_text(node) or operator in "-*/%":
            return call(NAMES[operator], *arguments)
        return self._charged(NAMES[operator], *arguments)

    def _numbers(self, node: nodes.Binary, left: ast.expr, right: ast.expr) -> ast.expr:
        """Arithmetic of values that are surely numbers.

        While a product stays below 2**52 it is what `numbers` makes of it; of a sum that holds if one operand does, so
        that the other is bounded by the result.
        """
        slow = call(f"{NAMES[node.operator]}_numbers", left, right)
        if not all(isinstance(code, (ast.Constant, ast.Name, ast.Subscript, ast.Attribute)) for code in (left, right)):
            return slow
        # Python compares numbers of one kind faster, and counters count by whole numbers
        whole = isinstance(left, ast.Constant) or isinstance(right, ast.Constant)
        limit = _SMALL if whole else float(_SMALL)
        tests: list[ast.expr] = []
        if node.operator != "*" and not (_small(left) or _small(right)):
            temporary = self.scope.temporary()
            tests.append(_bounded(assigned(temporary, left), limit))
            left = name(temporary)
        temporary = self.scope.temporary()
        operator = {"+": ast.Add(), "-": ast.Sub(), "*": ast.Mult()}[node.operator]
        tests.append(_bounded(assigned(temporary, ast.BinOp(left, operator, right)), limit))
        test = tests[0] if len(tests) == 1 else ast.BoolOp(ast.And(), tests)
        return ast.IfExp(test, name(temporary), slow)

    def _equality(self, node: nodes.Binary) -> ast.expr | None:
        left, right = node.left, node.right
        operator = _COMPARE[node.operator]()
        if isinstance(left, nodes.Literal):
            left, right = right, left
        if isinstance(left, nodes.Literal):
            return None
        if isinstance(right, nodes.Literal):
            constant = right.value
            code = self.value(left)
            if constant is None or constant is True or constant is False:
                return identical(code, constant, negated=node.operator == "!=")
            if isinstance(constant, str) or constant not in (0, 1) or self._is_number(left):
                return ast.Compare(code, [operator], [ast.Constant(constant)])
            # True is equal to 1 for Python
            code, again = self._twice(code)
            same = ast.Compare(code, [operator], [ast.Constant(constant)])
            if node.operator == "==":
                return ast.BoolOp(ast.And(), [same, class_is(again, "bool", negated=True)])
            return ast.BoolOp(ast.Or(), [same, class_is(again, "bool")])
        strings = self._is_string(left) and self._is_string(right) and self.budget_name is None
        if strings or (self._is_number(left) and self._is_number(right)):
            return ast.Compare(self.value(left), [operator], [self.value(right)])
        return None

    def _order(self, node: nodes.Binary) -> ast.expr | None:
        left, right = node.left, node.right
        literal = isinstance(left, nodes.Literal) or isinstance(right, nodes.Literal)
        if isinstance(left, nodes.Literal) and isinstance(right, nodes.Literal):
            return None
        operator = _COMPARE[node.operator]()
        if (self._is_string(left) or self._is_string(right)) and (literal or self.budget_name is None):
            # Python orders a string with nothing else than a string
            return ast.Compare(self.value(left), [operator], [self.value(right)])
        if folded(left) is not None or folded(right) is not None:
            # nor a moment with anything but a moment, whatever their zones
            return ast.Compare(self.value(left), [operator], [self.value(right)])
        if self._is_number(left) or self._is_number(right):
            return ast.Compare(self._not_bool(left), [operator], [self._not_bool(right)])
        return None

    def _not_bool(self, node: Node) -> ast.expr:
        """Python orders a number with nothing else than a number, but takes booleans for numbers."""
        code = self.value(node)
        if self._is_number(node):
            return code
        temporary = self.scope.temporary()
        code, again = (code, code) if isinstance(code, ast.Name) else (assigned(temporary, code), name(temporary))
        return ast.IfExp(class_is(code, "bool", negated=True), again, call("refuse", again))

    def _membership(self, node: nodes.Binary) -> ast.expr | None:
        if not exact.bounded_by_text(node) or isinstance(node.left, nodes.Literal):
            return None
        assert isinstance(node.right, nodes.ListLiteral)
        constants = [item.value for item in node.right.items if isinstance(item, nodes.Literal)]
        if any(constant is True or constant is False for constant in constants):
            return None
        code, again = self.value(node.left), None
        doubtful = (0 in constants or 1 in constants) and not self._is_number(node.left)
        if doubtful:
            code, again = self._twice(code)
        found: ast.expr = ast.Compare(code, [ast.In()], [constant_set(constants)])
        if again is None:
            return found
        return ast.BoolOp(ast.And(), [found, class_is(again, "bool", negated=True)])

    def _map(self, node: nodes.MapLiteral) -> ast.expr:
        keys = [key.value for key, _ in node.entries if isinstance(key, nodes.Literal) and isinstance(key.value, str)]
        if len(keys) == len(node.entries) == len(set(keys)):
            return ast.Dict([ast.Constant(key) for key in keys], [self.value(value) for _, value in node.entries])
        pairs: list[ast.expr] = [
            ast.Tuple([self.value(key), self.value(value)], ast.Load()) for key, value in node.entries
        ]
        return call("mapping", ast.Tuple(pairs, ast.Load()))

    def _function(self, node: nodes.Call) -> ast.expr:
        if is_further(node):
            code = self.scope.call(node)
            if code is None:
                raise CelError(f"unknown function `{node.function}`")
            return call("read", code)
        function = node.function
        nodes_given = node.arguments if node.target is None else (node.target, *node.arguments)
        constant = folded(node)
        if constant is not None:
            return self.scope.bind(constant)
        last = nodes_given[-1]
        if function == "matches" and isinstance(last, nodes.Literal) and isinstance(last.value, str):
            try:
                compiled = pattern(last.value)
            except CelEvaluationError:
                pass  # the subject is evaluated first, so its error comes first
            else:
                return call("search", self.budget(), self.value(nodes_given[0]), self.scope.bind(compiled))
        arguments = [self.value(argument) for argument in nodes_given]
        affixed = function in ("startsWith", "endsWith") and self.budget_name is None and self._is_string(last)
        if affixed and not isinstance(arguments[0], ast.Constant):
            return ast.Call(ast.Attribute(arguments[0], function.lower(), ast.Load()), [arguments[1]], [])
        if function == "contains" and self.budget_name is None and all(map(self._is_string, nodes_given)):
            return ast.Compare(arguments[1], [ast.In()], [arguments[0]])
        return call(f"{'function' if node.target is None else 'method'}_{function}", self.budget(), *arguments)

    def _comprehension(self, node: nodes.Comprehension) -> ast.expr:
        over = self.value(node.operand)
        of = self.type_of(node.operand)
        element = of.element if isinstance(of, ListOf) else STRING if isinstance(of, (MapOf, Record)) else ANY
        parameter = f"_v{len(self.bound)}_{self.scope.temporary()}"
        shadowed = self.bound.get(node.variable)
        self.bound[node.variable] = (parameter, element)
        bodies: list[ast.expr] = []
        if node.predicate is not None:
            bodies.append(self._lambda(parameter, self.truth(node.predicate)))
        if node.transform is not None:
            bodies.append(self._lambda(parameter, self.value(node.transform)))
        if shadowed is None:
            del self.bound[node.variable]
        else:
            self.bound[node.variable] = shadowed
        macro = "map_where" if len(bodies) == 2 else node.macro
        return call(f"macro_{macro}", self.budget(), ast.Constant(node.cost), over, *bodies)

    def _lambda(self, parameter: str, body: ast.expr) -> ast.expr:
        return ast.Lambda(ast.arguments([], [ast.arg(parameter)], None, [], [], None, []), body)


def _small(code: ast.expr) -> bool:
    return isinstance(code, ast.Constant) and -_SMALL < number(code) < _SMALL


def _bounded(code: ast.expr, limit: float) -> ast.expr:
    return ast.Compare(ast.Constant(-limit), [ast.Lt(), ast.Lt()], [code, ast.Constant(limit)])


_LITERAL: Mapping[type, Type] = {
    type(None): NULL,
    bool: BOOL,
    int: INTEGER,
    float: NUMBER,
    str: STRING,
}


def folded(node: Node) -> object | None:
    """The value of `timestamp('…')` or `duration('…')` of a constant, or None where it has to be evaluated."""
    if not isinstance(node, nodes.Call) or node.target or node.function not in ("timestamp", "duration"):
        return None
    (argument,) = node.arguments
    if not isinstance(argument, nodes.Literal) or not isinstance(argument.value, str):
        return None
    try:
        value: object = FUNCTIONS[node.function].apply(None, argument.value)
    except CelEvaluationError:
        return None
    return value
