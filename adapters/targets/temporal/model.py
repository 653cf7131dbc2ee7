"""What a targets file may say of a target of the kind `temporal`."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from adapters.target_file import Seconds, TargetModel
from adapters.targets.temporal.arguments import Arguments
from adapters.template import Template
from adapters.tls_model import TlsModel

Operation = Literal["start", "signal", "signal-with-start", "update", "cancel"]
Reuse = Literal["reject-duplicate", "allow-duplicate", "allow-duplicate-failed-only"]
Conflict = Literal["fail", "use-existing", "terminate-existing"]

LONGEST_ID: Final = 1_000
"""Characters of an id or a name: what the server takes at most."""
LONGEST_TIMEOUT: Final = 100 * 365.0 * 86_400
_STARTS: Final = ("start", "signal-with-start")
_BELONGS: Final[dict[str, tuple[Operation, ...]]] = {
    "workflow": _STARTS,
    "task_queue": _STARTS,
    "args": _STARTS,
    "signal": ("signal", "signal-with-start"),
    "signal_args": ("signal", "signal-with-start"),
    "update": ("update",),
    "update_args": ("update",),
    "id_reuse": _STARTS,
    "id_conflict": ("start",),
    "wait": ("start", "signal-with-start", "update"),
    "poll": ("start", "signal-with-start", "update"),
    "execution_timeout": _STARTS,
    "run_timeout": _STARTS,
    "task_timeout": _STARTS,
}
"""Which operations know a key; all know the others."""
_NEEDED: Final = ("workflow", "task_queue", "signal", "update")
"""By every operation that knows them."""
_ADDRESS: Final = re.compile(r"([A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]+\]):([0-9]{1,5})")
_Timeout = Annotated[Seconds, Field(ge=0.001, le=LONGEST_TIMEOUT)] | None


def _tls(value: Any) -> Any:
    return ({} if value else None) if isinstance(value, bool) else value


class TemporalModel(TargetModel):
    """One operation on a workflow for each command."""

    kind: Literal["temporal"]
    timeout: Annotated[Seconds, Field(ge=0.001, le=600)] = Field(10.0, description="For one attempt.")
    address: str = Field(description="Of the server's frontend: `HOST:PORT`.")
    namespace: str = Field("default", min_length=1, max_length=LONGEST_ID, description="That the workflows are in.")
    operation: Operation = Field("start", description="What a command comes to.")
    workflow_id: str | None = Field(
        None, description="May hold parts of the command. `${command.id}` where it starts one; needed elsewhere."
    )
    workflow: str | None = Field(None, description="The workflow's type. May hold parts of the command.")
    task_queue: str | None = Field(None, description="That its workers ask. May hold parts of the command.")
    args: Annotated[list[Any], Field(max_length=100)] = Field(
        ["${command}"], description="The workflow's arguments; parts of the command in them."
    )
    signal: str | None = Field(None, description="The signal's name. May hold parts of the command.")
    signal_args: Annotated[list[Any], Field(max_length=100)] = Field(
        ["${command}"], description="The signal's arguments."
    )
    update: str | None = Field(None, description="The update's name. May hold parts of the command.")
    update_args: Annotated[list[Any], Field(max_length=100)] = Field(
        ["${command}"], description="The update's arguments."
    )
    id_reuse: Reuse | None = Field(
        None,
        description="When a closed workflow has the id. `reject-duplicate` for `start`, `allow-duplicate` for "
        "`signal-with-start`.",
    )
    id_conflict: Conflict = Field("fail", description="When a running workflow has the id.")
    wait: Literal["started", "result"] = Field(
        "started", description="When the command is done: at once, or with the result of the workflow or the update."
    )
    poll: Annotated[Seconds, Field(ge=0.1, le=3_600)] = Field(
        10.0, description="`wait: result`: the longest time between two looks for it; the first come sooner."
    )
    execution_timeout: _Timeout = Field(None, description="Of the workflow, with all its runs.")
    run_timeout: _Timeout = Field(None, description="Of one run of it.")
    task_timeout: _Timeout = Field(None, description="Of one task of it.")
    api_key: str | None = Field(None, repr=False, description="A reference to the secret: `env:NAME`, `file:/PATH`.")
    tls: Annotated[TlsModel | None, BeforeValidator(_tls, json_schema_input_type=TlsModel | bool | None)] = Field(
        None, description="`true`: trust what the system trusts; or files; `false`. Not said: `true` with an `api_key`."
    )
    data_converter: str | None = Field(
        None, description="Import path of a `temporalio.converter.DataConverter`: `ours.codec:converter`."
    )

    @field_validator("address")
    @classmethod
    def _address(cls, text: str) -> str:
        found = _ADDRESS.fullmatch(text)
        if found is None or not 0 < int(found[2]) < 65_536:
            raise ValueError("write host and port, such as temporal.example:7233")
        return text

    @field_validator("workflow_id", "workflow", "task_queue", "signal", "update")
    @classmethod
    def _template(cls, text: str | None) -> str | None:
        if text is not None:
            if not text.strip() or not text.isprintable():
                raise ValueError("must be a text of one line")
            Template(text)
        return text

    @field_validator("args", "signal_args", "update_args")
    @classmethod
    def _arguments(cls, values: list[Any]) -> list[Any]:
        Arguments(values)
        return values

    @model_validator(mode="after")
    def _fits(self) -> TemporalModel:
        for key, operations in _BELONGS.items():
            if self.operation not in operations and key in self.model_fields_set:
                known = " and ".join(f"`{each}`" for each in operations)
                raise ValueError(f"`{key}` is not of `{self.operation}` but of {known}: take it out")
            if self.operation in operations and key in _NEEDED and getattr(self, key) is None:
                raise ValueError(f"`{self.operation}` needs `{key}`: add it")
        if self.workflow_id is None and self.operation != "start":
            raise ValueError(f"`{self.operation}` needs `workflow_id`: add it, such as fine-${{command.key}}")
        if self.id_conflict == "terminate-existing" and self.reuse == "reject-duplicate":
            raise ValueError("`id_conflict: terminate-existing` needs another `id_reuse`: add allow-duplicate")
        return self

    @property
    def reuse(self) -> Reuse:
        return self.id_reuse or ("reject-duplicate" if self.operation == "start" else "allow-duplicate")
