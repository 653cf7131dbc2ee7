"""What a firing puts out: commands and derived events, with the ids that say what caused them (RULES.md §6).

Off the hot path: rules that match rarely pay for rendering and digests only when they fire.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import msgspec

from rules.compile.upcast import ATTRIBUTE
from rules.compile.variables import Frame
from rules.model.action import Action, CommandAction, EmitAction
from rules.model.event_schema import EventSchema
from streams.digest import content_digest, firing_id
from streams.event import DERIVED, OURSELVES, Event, fingerprint
from streams.outputs import Command, Derived, Terms

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
        hops = frame.event.hops + 1
        draw = partial(firing_id, self._ruleset, self._rule, frame.key, opening, completing, frame.now)
        for place, (action, payload) in enumerate(zip(self._actions, rendered, strict=True)):
            if hops > MAX_HOPS:
                self._looped(evaluation, frame, action, draw(place))
            elif isinstance(action, CommandAction):
                evaluation.outputs.append(self._command(evaluation, frame, action, payload, draw, place))
            else:
                event = self._event(frame, action, payload, draw(place))
                evaluation.emitted(self._rule, frame.key, event, self._shadow)
        return hops <= MAX_HOPS

    def _command(
        self,
        evaluation: Evaluation,
        frame: Frame,
        action: CommandAction,
        payload: tuple[dict[str, Any], list[Any]],
        draw: Callable[[int | str], str],
        place: int | str,
    ) -> Command:
        args, fallback = payload
        terms = None
        if action.timeout or action.expires or action.order or action.fallback:
            instead: list[Command | Derived] = []
            for number, (other, rendered) in enumerate(zip(action.fallback, fallback, strict=True)):
                within = f"{place}.fallback.{number}"
                if isinstance(other, CommandAction):
                    instead.append(self._command(evaluation, frame, other, rendered, draw, within))
                else:
                    event = self._event(frame, other, rendered, draw(within))
                    instead.append(Derived(self._rule, event, self._shadow, evaluation.offset))
            terms = Terms(action.timeout or 0, action.expires or 0, action.order, tuple(instead))
        return Command(
            id=draw(place),
            command=action.command,
            to=action.to,
            rule=self._rule,
            key=frame.key,
            at=frame.now,
            cause=frame.cause,
            args=args,
            args_digest=content_digest(args),
            shadow=self._shadow,
            hops=frame.event.hops + 1,
            offset=evaluation.offset,
            terms=terms,
        )

    def _event(self, frame: Frame, action: EmitAction, payload: tuple[str | None, Any], id: str) -> Event:
        subject = frame.event.subject if payload[0] is None else payload[0]
        versions = self._versions.get(action.type)
        return Event(
            type=action.type,
            time=frame.now,
            key=subject,
            subject=subject,
            source=OURSELVES,
            id=id,
            fingerprint=fingerprint(OURSELVES, id),
            data=msgspec.Raw(_encode(payload[1])),
            kind=DERIVED,
            hops=frame.event.hops + 1,
            extensions={ATTRIBUTE: versions[-1].name} if versions is not None else None,
        )

    def _looped(self, evaluation: Evaluation, frame: Frame, action: Action, id: str) -> None:
        what = action.command if isinstance(action, CommandAction) else action.type
        reason = (
            f"rule {self._rule} would put out {what} as number {MAX_HOPS + 1} in a chain of derived events, commands "
            f"and results: this is taken for a loop"
        )
        evaluation.looped(frame.key, frame.event, f"{reason} (action {id})")
