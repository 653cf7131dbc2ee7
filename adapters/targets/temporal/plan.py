"""What the commands of a target come to: names, ids and arguments, made of each. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from adapters.targets.temporal.arguments import Arguments, Command
from adapters.targets.temporal.model import LONGEST_ID, Conflict, Operation, Reuse, TemporalModel
from adapters.targets.temporal.payloads import TooLargeError
from adapters.template import Template, TemplateError

OURS: Final = "${command.id}"


class Asked(NamedTuple):
    """Of one command. What the operation does not know is empty."""

    workflow_id: str
    workflow: str
    task_queue: str
    args: list[Any]
    signal: str
    signal_args: list[Any]
    update: str
    update_args: list[Any]


@dataclass(frozen=True, slots=True)
class Plan:
    operation: Operation
    reuse: Reuse
    conflict: Conflict
    wait: bool
    """For the result."""
    own_id: bool
    """Whether the workflow's id holds the command's: then nobody else's can have it."""
    execution_timeout: float | None
    run_timeout: float | None
    task_timeout: float | None
    _workflow_id: Template
    _workflow: Template
    _task_queue: Template
    _signal: Template
    _update: Template
    _args: Arguments
    _signal_args: Arguments
    _update_args: Arguments

    @classmethod
    def of(cls, model: TemporalModel) -> Plan:
        starts, signals = model.operation in ("start", "signal-with-start"), "signal" in model.operation
        id = model.workflow_id if model.workflow_id is not None else OURS
        return cls(
            model.operation,
            model.reuse,
            model.id_conflict,
            model.wait == "result",
            OURS in id,
            model.execution_timeout,
            model.run_timeout,
            model.task_timeout,
            Template(id),
            Template(model.workflow or ""),
            Template(model.task_queue or ""),
            Template(model.signal or ""),
            Template(model.update or ""),
            Arguments(model.args if starts else []),
            Arguments(model.signal_args if signals else []),
            Arguments(model.update_args if model.operation == "update" else []),
        )

    def ask(self, command: Command) -> Asked:
        """Raises TemplateError, TooLargeError."""
        return Asked(
            _name("workflow_id", self._workflow_id, command),
            _name("workflow", self._workflow, command),
            _name("task_queue", self._task_queue, command),
            self._args.render(command),
            _name("signal", self._signal, command),
            self._signal_args.render(command),
            _name("update", self._update, command),
            self._update_args.render(command),
        )


def _name(key: str, template: Template, command: Command) -> str:
    text = template.render(command)
    if template.text and not text:
        raise TemplateError(f"`{key}` comes to nothing for this command")
    if (size := len(text.encode())) > LONGEST_ID:
        raise TooLargeError(f"`{key}` comes to {size:,} bytes, more than the {LONGEST_ID:,} of a server")
    return text
