"""A token names one lease of one command, and whatever else is sent names none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.work import Work
from orchestrator.door import tokens

WORK = Work("c19b3dea4c7fb990e1d4979dac0c8a0e", 3, "police", b"{}", 9, 7, leased_at=1_764_158_000_123_456)


def test_a_token_says_which_lease_is_meant() -> None:
    found = tokens.read(WORK.id, tokens.write(WORK))
    assert found is not None
    assert (found.id, found.attempt, found.partition, found.leased_at) == (WORK.id, 3, 7, WORK.leased_at)


def test_a_token_of_another_command_or_another_lease_is_another() -> None:
    token = tokens.write(WORK)
    assert tokens.read("c29b3dea4c7fb990e1d4979dac0c8a0e", token) is None
    others = [
        WORK._replace(attempt=4),
        WORK._replace(partition=8),
        WORK._replace(leased_at=WORK.leased_at + 1),
    ]
    assert len({token, *map(tokens.write, others)}) == 4


@pytest.mark.parametrize("place", range(38))
def test_a_digit_that_is_wrong_is_noticed(place: int) -> None:
    token = tokens.write(WORK)
    wrong = token[:place] + ("0" if token[place] != "0" else "1") + token[place + 1 :]
    assert tokens.read(WORK.id, wrong) is None


@given(st.text(), st.text())
def test_what_is_no_token_names_no_lease(id: str, token: str) -> None:
    assert tokens.read(id, token) is None
