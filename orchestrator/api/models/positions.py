"""`min_position`: answers that show what one wrote."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from pydantic import Field

from orchestrator.api.models.common import POSITION

MinPosition: TypeAlias = Annotated[
    str | None,
    Field(
        pattern=f"^{POSITION}(,{POSITION})*$",
        description="Answer when this is shown: positions that `POST /v1/events` answered, separated by commas.",
    ),
]
