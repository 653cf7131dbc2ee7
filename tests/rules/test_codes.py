"""Every code that is ever raised is in the catalogue, and nothing else is."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from rules.codes import CATALOGUE, CODES, Code
from rules.diagnostics import Diagnostic, well_said

ROOT = Path(__file__).parent.parent.parent
TREES = [ast.parse(file.read_text()) for folder in ("rules", "orchestrator") for file in (ROOT / folder).rglob("*.py")]


def takes_code(function: ast.FunctionDef) -> int | None:
    """The place of the argument `code` of a function that makes diagnostics: those say a message, too."""
    names = [each.arg for each in (*function.args.args, *function.args.kwonlyargs) if each.arg != "self"]
    return names.index("code") if {"code", "message"} <= {*names} or function.name == "point" else None


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))


EVERYWHERE = {"Diagnostic": 1} | {
    each.name: place for tree in TREES for each in functions(tree) if (place := takes_code(each)) is not None
}


def texts(node: ast.AST) -> Iterator[str]:
    return (each.value for each in ast.walk(node) if isinstance(each, ast.Constant) and isinstance(each.value, str))


def raised() -> set[str]:
    found: set[str] = set()
    for tree in TREES:
        here = {each.name: place for each in functions(tree) if (place := takes_code(each)) is not None}
        for each in functions(tree):
            defaults = each.args.defaults
            given = zip(each.args.args[len(each.args.args) - len(defaults) :], defaults, strict=True)
            if each.name in here:
                found |= {text for argument, default in given if argument.arg == "code" for text in texts(default)}
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call):
                continue
            called = node.func
            name = (
                called.id if isinstance(called, ast.Name) else called.attr if isinstance(called, ast.Attribute) else ""
            )
            place = here.get(name) if name in {each.name for each in functions(tree)} else EVERYWHERE.get(name)
            if place is not None and len(node.args) > place:
                found |= set(texts(node.args[place]))
            if place is not None:
                found |= {text for each in node.keywords if each.arg == "code" for text in texts(each.value)}
    return found


def test_every_code_that_is_raised_is_in_the_catalogue_and_no_other() -> None:
    assert raised() == set(CODES)


def test_a_diagnostic_with_another_code_is_refused() -> None:
    with pytest.raises(AssertionError, match=r"rules/codes\.py"):
        Diagnostic("error", "brand-new", "a message", "f", 1, 1, 2)


@pytest.mark.parametrize("code", CATALOGUE, ids=lambda code: code.id)
def test_an_entry_teaches_in_the_style_of_messages(code: Code) -> None:
    assert well_said(code.short[0].lower() + code.short[1:])
    assert code.help.endswith(".")
    assert len(code.help) > len(code.short)
    assert code.help.count("`") % 2 == 0


def test_no_code_stands_twice() -> None:
    assert len(CODES) == len(CATALOGUE)
