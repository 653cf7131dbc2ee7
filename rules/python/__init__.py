"""Rules as Python functions (RULES.md §10): what their authors import.

    from rules.python import Alert, Command, Emit, Event, rule

    @rule(on="payment.failed", by="event.data.card", state={"count": int})
    def escalate(event, state, now):
        state["count"] += 1
        if state["count"] == 3:
            yield Command("block-card", to="bank", args={"card": event.key})

A function is called with the event (`Event`), its state of the key (a `dict` of the declared shape, changed in place)
and the time (an aware `datetime`, the event's). It returns, or yields, any number of actions. `rules.python.module`
reads such files; `rules.python.guard` says what may not stand in them. This is a guard against mistakes, no sandbox:
whoever may name a file may run any code.
"""

from __future__ import annotations

from rules.python.actions import Alert, Command, Emit
from rules.python.declaration import rule
from rules.python.view import Event

__all__ = ["Alert", "Command", "Emit", "Event", "rule"]
