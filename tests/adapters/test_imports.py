"""A targets file imports what the operator allowed, and nothing else."""

from __future__ import annotations

import pytest

from adapters.imports import load
from adapters.kind import FieldError, Surroundings
from adapters.retry import RetryPolicy


def around(*imports: str) -> Surroundings:
    return Surroundings(lambda: 0, lambda reference: None, imports=frozenset(imports))


@pytest.mark.parametrize("allowed", ["adapters.retry:RetryPolicy", "adapters.retry"])
def test_what_is_allowed_by_name_or_by_module_is_imported(allowed: str) -> None:
    assert load("adapters.retry:RetryPolicy", around(allowed), ("runnable",)) is RetryPolicy


@pytest.mark.parametrize("allowed", ["", "adapters", "adapters.retry:delay", "adapters.retr"])
def test_what_is_not_allowed_is_not_imported_and_the_error_names_the_setting(allowed: str) -> None:
    with pytest.raises(FieldError, match="add it to ORCHESTRATOR_ALLOW_IMPORTS") as caught:
        load("adapters.retry:RetryPolicy", around(allowed), ("runnable",))
    assert caught.value.path == ("runnable",)


@pytest.mark.parametrize("path", ["adapters.retry", "adapters/retry:x", ":x", "a:", "a:b:c", "a b:c", "..a:b", "a:b()"])
def test_what_is_no_import_path_is_refused(path: str) -> None:
    with pytest.raises(FieldError, match="write module and name"):
        load(path, around("adapters.retry", path), ("runnable",))


@pytest.mark.parametrize(("path", "why"), [("no.such:x", "No module named 'no'"), ("adapters.retry:no", "has no attr")])
def test_what_does_not_exist_is_told(path: str, why: str) -> None:
    with pytest.raises(FieldError, match=why):
        load(path, around(path), ("runnable",))
