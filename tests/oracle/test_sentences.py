"""The oracle does what each sentence of the language says, as it was worked out by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.oracle.document import read
from tests.oracle.judging import cases, difference, told


@pytest.mark.parametrize(("file", "name"), [pytest.param(*case, id=f"{case[0].stem}: {case[1]}") for case in cases()])
def test_the_oracle_says_what_the_sentence_says(file: Path, name: str) -> None:
    document = read(file.read_text("utf-8"))
    test = document.tests[name]
    oracle = told(document, test)
    assert difference(oracle, test) is None
