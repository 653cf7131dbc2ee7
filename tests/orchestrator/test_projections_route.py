"""`GET /v1/projections` and `/v1/projections/{name}`: what there is, and lists of rows."""

import pytest

from orchestrator.api.models.projections import RowsQuery
from projections.filters import OPERATIONS
from projections.table import QueryTable
from rules.reading.projection import RESERVED_ENDINGS, RESERVED_PARAMETERS
from tests.orchestrator.serving import api

FINES = QueryTable("fines", "aaa1", ("status", "amount"), (("status", "string"), ("amount", "number"), ("n", "any")))


@pytest.mark.parametrize(
    ("query", "field", "detail"),
    [
        (
            "n=1",
            "n",
            "`n` of `fines` is not indexed: add it to `index:` of the projection in the rule file; lists filter and "
            "sort by `status`, `amount`, `key`",
        ),
        ("total=1", "total", "`fines` has no field `total`: lists filter and sort by `status`, `amount`, `key`"),
        ("sort=-n", "sort", "`n` of `fines` is not indexed: add it to `index:` of the projection in the rule file"),
        ("amount__gt=ten", "amount__gt", "`amount__gt` takes a number, and `ten` is none"),
        ("amount=1&amount=2", "amount", "`amount` comes more than once: send it once"),
        ("limit=0", "limit", "limit: `0` is not possible: choose at least 1"),
        ("cursor=x", "cursor", "the cursor is none of ours: use `next` of the page before, unchanged"),
    ],
)
async def test_a_list_that_makes_no_sense_is_refused_with_the_remedy(query: str, field: str, detail: str) -> None:
    async with api(tables=[FINES]) as (client, _):
        answer = await client.get(f"/v1/projections/fines?{query}")
        assert (answer.status, answer.content_type) == (400, "application/problem+json")
        found = await answer.json()
        assert found["field"] == field
        assert found["detail"].startswith(detail)


async def test_a_projection_without_rows_is_an_empty_list() -> None:
    async with api(tables=[FINES]) as (client, _):
        answer = await client.get("/v1/projections/fines?status=open&amount__gte=1e3&sort=-amount&limit=5")
        assert await answer.json() == {"rows": [], "next": None, "as_of": ["1.0.0", "1.1.0", "1.2.0"]}


async def test_a_projection_that_is_not_there_is_told_which_are() -> None:
    async with api(tables=[FINES]) as (client, _):
        answer = await client.get("/v1/projections/fine")
        assert answer.status == 404
        assert (await answer.json())["detail"] == "there is no projection `fine`; there are: fines"


def test_no_indexed_field_can_have_the_name_of_a_parameter() -> None:
    assert set(RowsQuery.model_fields) <= RESERVED_PARAMETERS
    assert tuple(f"__{operation}" for operation in OPERATIONS) == RESERVED_ENDINGS
