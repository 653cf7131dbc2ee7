"""From the text of a file of Python rules to rules of the model, or to what is wrong with it.

The text is compiled and run once, in a namespace of its own, when a rule set is loaded. It comes from a file that the
operator names, never from a request and never from a log: what calls this has read it (`orchestrator.python_rules`).
"""

from __future__ import annotations

import ast
import hashlib
from typing import Any, Final

from rules.diagnostics import Diagnostic, Findings, shown, tidy
from rules.model.function import Function
from rules.model.rule import Rule
from rules.model.source import Expression, Span
from rules.python.declaration import Declared
from rules.python.errors import BadDeclaration
from rules.python.guard import forbidden
from rules.text.source import Source

LONGEST: Final = 1_000_000
"""Characters of one file."""


def module_hash(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def read_module(source: Source, findings: Findings, place: int) -> list[Rule]:
    """Its rules, in the order of the file; `place` is that of the first. Errors go to `findings`."""
    module = _Module(source, findings)
    if len(source.text) > LONGEST:
        module.error(1, 0, f"the file is longer than {LONGEST:,} characters", "several files can hold rules")
        return []
    tree = module.parsed()
    if tree is None:
        return []
    refused = list(forbidden(tree))
    for each in refused:
        module.complain(each.node, "impure", each.message, each.hint)
    defined = module.functions(tree)
    namespace = None if refused or defined is None else module.run(tree)
    if namespace is None or defined is None:
        return []
    declared = [(each, defined[each.call.__name__]) for each in namespace.values() if _is_rule(each, defined)]
    declared.sort(key=lambda pair: pair[1].lineno)
    if not declared:
        module.error(1, 0, "the file holds no rule", "a rule is a function below `@rule(on=…)`")
    hashed = module_hash(source.text)
    return [module.rule(each, node, hashed, place + number) for number, (each, node) in enumerate(declared)]


def _is_rule(value: Any, defined: dict[str, ast.FunctionDef]) -> bool:
    return isinstance(value, Declared) and value.call.__name__ in defined


class _Module:
    def __init__(self, source: Source, findings: Findings) -> None:
        self._source = source
        self._findings = findings

    def parsed(self) -> ast.Module | None:
        try:
            return ast.parse(self._source.text, self._source.name)
        except SyntaxError as error:
            self.error(error.lineno or 1, (error.offset or 1) - 1, f"this is no Python: {tidy(error.msg)}")
        except (ValueError, RecursionError, MemoryError) as error:
            self.error(1, 0, f"this is no Python that can be read: {shown(str(error))}")
        return None

    def functions(self, tree: ast.Module) -> dict[str, ast.FunctionDef] | None:
        """Those of the file itself, by name; None with an error where a name stands twice."""
        found: dict[str, ast.FunctionDef] = {}
        for node in tree.body:
            if not isinstance(node, ast.FunctionDef):
                continue
            first = found.setdefault(node.name, node)
            if first is not node:
                message = f"the function {shown(node.name)} stands twice: it is also in line {first.lineno}"
                self.complain(node, "duplicate-name", message, None)
                return None
        return found

    def run(self, tree: ast.Module) -> dict[str, Any] | None:
        # dataclasses look their module up by its name, so it must be one that is there
        namespace: dict[str, Any] = {"__name__": "rules.python", "__file__": self._source.name}
        try:
            exec(compile(tree, self._source.name, "exec", dont_inherit=True), namespace)  # noqa: S102 - what the operator named
        except BadDeclaration as error:
            self.error(self._line(error), 0, tidy(str(error)), error.hint)
        except (Exception, SystemExit) as error:
            text = f"{type(error).__name__}: {error}"
            self.error(self._line(error), 0, f"running the file failed: {shown(text, 200)}")
        else:
            return namespace
        return None

    def rule(self, declared: Declared, node: ast.FunctionDef, hashed: str, place: int) -> Rule:
        keywords = {
            keyword.arg: keyword.value
            for decorator in node.decorator_list
            if isinstance(decorator, ast.Call)
            for keyword in decorator.keywords
        }

        def span(keyword: str) -> Span:
            value = keywords.get(keyword)
            if value is None:
                return Span(self._source.name, node.lineno, node.col_offset + 1)
            quote = 1 if isinstance(value, ast.Constant) else 0
            return Span(self._source.name, value.lineno, value.col_offset + 1 + quote)

        by, when = declared.by, declared.when
        return Rule(
            name=declared.name,
            description=(declared.call.__doc__ or "").strip(),
            on=declared.on,
            by=None if by is None else Expression(by[0], by[1], span("by")),
            when=None if when is None else Expression(when[0], when[1], span("when")),
            let=(),
            deadline=None,
            settle=None,
            once_within=None,
            priority=declared.priority,
            enabled=declared.enabled,
            shadow=declared.shadow,
            then=(),
            place=place,
            span=Span(self._source.name, node.lineno, node.col_offset + len("def ") + 1),
            on_spans=tuple(span("on") for _ in declared.on),
            function=Function(
                self._source.name,
                hashed,
                node.lineno,
                declared.state,
                declared.max_state,
                declared.version,
                declared.call,
            ),
        )

    def complain(self, node: ast.AST, code: str, message: str, hint: str | None) -> None:
        line, column = getattr(node, "lineno", 1), getattr(node, "col_offset", 0)
        end = getattr(node, "end_col_offset", column + 1) if getattr(node, "end_lineno", line) == line else None
        self._add(code, line, column, end, message, hint)

    def error(self, line: int, column: int, message: str, hint: str | None = None) -> None:
        self._add("python", line, column, None, message, hint)

    def _add(self, code: str, line: int, column: int, end: int | None, message: str, hint: str | None) -> None:
        text = self._source.line(line)
        if not column and end is None:
            column = len(text) - len(text.lstrip())
        last = max(column + 1, len(text) if end is None else end)
        self._findings.add(
            Diagnostic("error", code, message, self._source.name, line, column + 1, last + 1, hint, text)
        )

    def _line(self, error: BaseException) -> int:
        return line_in(self._source.name, error) or 1


def line_in(module: str, error: BaseException) -> int | None:
    """Where in this file it was raised: the innermost of its lines."""
    found: int | None = None
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == module:
            found = trace.tb_lineno
        trace = trace.tb_next
    return found
