"""What is asked and answered of delivery as a whole."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from orchestrator.api.models.common import WHOLE, Moment
from orchestrator.api.route import Asked, Shown


class Delivery(Shown):
    armed: bool = Field(description="Whether commands are sent at all.")
    disarmed_since: Moment | None
    commands: int = Field(description="Not ended yet: so many would be sent.")
    settled: bool = Field(description="Whether those are all that are decided; otherwise some are not counted yet.")


class Arm(Asked):
    count: Annotated[int, Field(ge=0), WHOLE] = Field(
        description="The number of commands that would be sent, as `commands` says it."
    )


class ArmedNow(Shown):
    armed: bool
