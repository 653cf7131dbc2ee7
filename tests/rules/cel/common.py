"""Expressions that mean the same in the profile and in CEL, as strategies: typed ones, and some where types are wrong.

Left out is what the profile changes: `/`, whole numbers and fractions in one sum, `%` of fractions, `has` with absent
parents, sums beyond 64 bits (small numbers and short products keep clear of them) and the text of fractions.
"""

from __future__ import annotations

from hypothesis import strategies as st

from rules.cel.limits import MAX_COMPREHENSIONS

Text = st.SearchStrategy[str]

WHOLE = ("0", "1", "7", "-3", "12", "e.n", "e.k", "e.m.a", "x")
FRACTIONS = ("0.5", "-2.25", "7.0", "1e3", "e.f")
STRINGS = ("''", "'a'", "'EU'", '"it\'s"', "r'\\d'", "'\\u00e9\\U0001D11E'", "e.s", "e.r", "e.m.b")
TIMES = ("timestamp('2024-02-29T12:30:15Z')", "timestamp('1969-12-31T23:59:59+05:30')", "timestamp(e.n)", "t")
SPANS = ("duration('90m')", "duration('-1.5s')", "duration('0s')")
LISTS = ("e.l", "[]", "[1, 2, 3]", "[7]", "[1, -3]")
MAPS = ("e.m", "{}", "{'a': 1, 'b': [2]}", "{1: 'x', 'y': null}")
WRONG = ("null", "e.nothing", "e.gone", "e.m.gone", "e.l[9]", "1 % 0", "'a'", "[1]", "{}", "true", "e")
ZONES = ("", "'UTC'", "'Asia/Kolkata'", "'-02:30'")
PARTS = (
    "getFullYear",
    "getMonth",
    "getDate",
    "getDayOfMonth",
    "getDayOfWeek",
    "getDayOfYear",
    "getHours",
    "getMinutes",
)


def _made(form: str, *parts: Text) -> Text:
    return st.tuples(*parts).map(lambda given: form.format(*given))


def _pick(*texts: str) -> Text:
    return st.sampled_from(texts)


def _deeper(make: list[Text], leaves: tuple[str, ...]) -> Text:
    return st.one_of(_pick(*leaves), *make)


def typed(depth: int) -> dict[str, Text]:
    """Kind → expressions of that kind, `any` among them. `x` may be free in them."""
    if depth == 0:
        kinds = {
            "number": _pick(*WHOLE),
            "fraction": _pick(*FRACTIONS),
            "string": _pick(*STRINGS),
            "time": _pick(*TIMES),
            "span": _pick(*SPANS),
            "list": _pick(*LISTS),
            "map": _pick(*MAPS),
            "truth": _pick("true", "false", "e.yes", "e.n > 3", "e.s == 'EU'", "has(e.gone)", "has(e.m.b)"),
        }
        return {**kinds, "wrong": _pick(*WRONG), "any": st.one_of(*kinds.values(), _pick(*WRONG))}
    below = typed(depth - 1)
    number, string, truth, listed = below["number"], below["string"], below["truth"], below["list"]
    ordered = st.sampled_from(("number", "fraction", "string", "time", "span", "truth")).flatmap(
        lambda kind: _made("({} {} {})", below[kind], _pick("<", "<=", ">", ">=", "==", "!="), below[kind])
    )
    kinds = {
        "number": _deeper(
            [
                _made("({} {} {})", number, _pick("+", "-", "*", "%"), number),
                _made("-({})", number),
                _made("size({})", st.one_of(string, listed, below["map"])),
                _made("({} ? {} : {})", truth, number, number),
                _made("{}[{}]", listed, _pick("0", "1", "e.n")),
                _made("int({})", st.one_of(number, below["fraction"], string, below["time"])),
                _made("{}.{}({})", below["time"], _pick(*PARTS), _pick(*ZONES)),
                _made("{}.{}()", below["span"], _pick("getHours", "getMinutes", "getSeconds", "getMilliseconds")),
                _made("({} + {})", number, below["wrong"]),
            ],
            WHOLE,
        ),
        "fraction": _deeper(
            [
                _made("({} {} {})", below["fraction"], _pick("+", "-", "*"), below["fraction"]),
                _made("double({})", number),
            ],
            FRACTIONS,
        ),
        "string": _deeper(
            [
                _made("({} + {})", string, string),
                _made("string({})", st.one_of(number, truth, string)),
                _made("({} + {})", string, number),
            ],
            STRINGS,
        ),
        "time": _deeper([_made("({} {} {})", below["time"], _pick("+", "-"), below["span"])], TIMES),
        "span": _deeper(
            [
                _made("({} - {})", below["time"], below["time"]),
                _made("({} {} {})", below["span"], _pick("+", "-"), below["span"]),
            ],
            SPANS,
        ),
        "list": _deeper(
            [
                _made("[{}, {}]", number, number),
                _made("({} + {})", listed, listed),
                _made("{}.map(x, {})", listed, number),
                _made("{}.map(x, {}, {})", listed, truth, number),
                _made("{}.filter(x, {})", listed, truth),
            ],
            LISTS,
        ),
        "map": _deeper([_made("{{'a': {}, 'b': {}}}", number, string)], MAPS),
        "truth": _deeper(
            [
                _made("({} {} {})", truth, _pick("&&", "||"), truth),
                _made("!({})", truth),
                ordered,
                _made("({} {} {})", below["any"], _pick("==", "!="), below["any"]),
                _made("({} {} {})", below["any"], _pick("&&", "||"), truth),
                _made("({} < {})", below["wrong"], below["any"]),
                _made("{}.{}({})", string, _pick("contains", "startsWith", "endsWith"), string),
                _made("{}.matches({})", string, _pick("'a.c'", "'^E'", "'U$'", "'[0-9]+'")),
                _made("({} in {})", number, listed),
                _made("({} in {})", string, below["map"]),
                _made("{}.{}(x, {})", listed, _pick("exists", "all", "exists_one"), truth),
                _made("({} ? {} : {})", below["any"], truth, truth),
            ],
            ("true", "false", "e.yes"),
        ),
    }
    return {**kinds, "wrong": _pick(*WRONG), "any": st.one_of(*kinds.values())}


def expressions(depth: int = 3) -> Text:
    """Not longer and not deeper than the profile takes."""
    return typed(depth)["any"].filter(lambda text: len(text) < 1_500 and text.count("(x, ") <= MAX_COMPREHENSIONS)


EVENTS = st.fixed_dictionaries(
    {
        "n": st.sampled_from((0, 1, 3, 7, -3)),
        "k": st.sampled_from((2, 12, -1)),
        "f": st.sampled_from((0.5, -2.25, 8.0)),
        "s": st.sampled_from(("EU", "US", "")),
        "r": st.sampled_from(("a", "é𝄞", "12")),
        "yes": st.booleans(),
        "l": st.lists(st.sampled_from((0, 1, 7)), max_size=3),
        "m": st.sampled_from(({"a": 1, "b": "EU"}, {"a": 7, "b": "", "c": None})),
        "nothing": st.none(),
    }
)
