"""What a firing puts out: commands and derived events, with the ids that say what caused them (RULES.md §6).

Off the hot path: rules that match rarely pay for rendering and digests only when they fire.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import msgspec

from rules.compile.upcast import ATTRIBUTE
from rules.compile.variables import Frame
from rules.model.action import Action, CommandAction, EmitAction
from rules.model.event_schema import EventSchema
from streams.digest import content_digest, firing_id
from streams.event import DERIVED, OURSELVES, Event, fingerprint
from streams.outputs import Command

if TYPE_CHECKING:
    from rules.step import Evaluation

MAX_HOPS: Final = 16
"""A chain of derived events, commands and results that is longer is taken for a loop."""

_encode: Final = msgspec.json.Encoder().encode


class Performer:
    """The actions of one rule."""

    __slots__ = ("_actions", "_render", "_rule", "_ruleset", "_shadow", "_versions")

    def __init__(
        self,
        ruleset: str,
        rule: str,
        shadow: bool,
        actions: Sequence[Action],
        render: Callable[[Frame], list[Any]],
        versions: Mapping[str, Sequence[EventSchema]],
    ) -> None:
        """`versions`: those of the types that have any, which events that are emitted must say."""
        self._versions = versions
        self._ruleset = ruleset
        self._rule = rule
        self._shadow = shadow
        self._actions = tuple(actions)
        self._render = render

    def perform(self, evaluation: Evaluation, frame: Frame, opening: Any, completing: Any) -> bool:
        """Puts out all actions. False if the chain has become too long: then each is a decision `looped` instead.

        Raises CelEvaluationError, before anything is put out, if one payload cannot be evaluated."""
        rendered = self._render(frame)
        at = frame.now
        hops = frame.event.hops + 1
        for place, (action, payload) in enumerate(zip(self._actions, rendered, strict=True)):
            id = firing_id(self._ruleset, self._rule, frame.key, opening, completing, at, place)
            if hops > MAX_HOPS:
                self._looped(evaluation, frame, action, id)
            elif isinstance(action, CommandAction):
                self._command(evaluation, frame, action, payload, id, hops)
            else:
                self._emit(evaluation, frame, action, payload, id, hops)
        return hops <= MAX_HOPS

    def _command(
        self, evaluation: Evaluation, frame: Frame, action: CommandAction, args: dict[str, Any], id: str, hops: int
    ) -> None:
        evaluation.outputs.append(
            Command(
                id=id,
                command=action.command,
                to=action.to,
                rule=self._rule,
                key=frame.key,
                at=frame.now,
                cause=frame.event.id,
                args=args,
                args_digest=content_digest(args),
                shadow=self._shadow,
                hops=hops,
                offset=evaluation.offset,
            )
        )

    def _emit(
        self,
        evaluation: Evaluation,
        frame: Frame,
        action: EmitAction,
        payload: tuple[str | None, Any],
        id: str,
        hops: int,
    ) -> None:
        subject = frame.event.subject if payload[0] is None else payload[0]
        versions = self._versions.get(action.type)
        event = Event(
            type=action.type,
            time=frame.now,
            key=subject,
            subject=subject,
            source=OURSELVES,
            id=id,
            fingerprint=fingerprint(OURSELVES, id),
            data=msgspec.Raw(_encode(payload[1])),
            kind=DERIVED,
            hops=hops,
            extensions={ATTRIBUTE: versions[-1].name} if versions is not None else None,
        )
        evaluation.emitted(self._rule, frame.key, event, self._shadow)

    def _looped(self, evaluation: Evaluation, frame: Frame, action: Action, id: str) -> None:
        what = action.command if isinstance(action, CommandAction) else action.type
        reason = (
            f"rule {self._rule} would put out {what} as number {MAX_HOPS + 1} in a chain of derived events, commands "
            f"and results: this is taken for a loop"
        )
        evaluation.looped(frame.key, frame.event, f"{reason} (action {id})")
