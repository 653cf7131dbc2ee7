"""`orchestrator simulate`: rules over a file of events, with the order and the bounds of RULES.md §13.

Reads JSON lines, gzipped or not (told by content), hands each event to `rules.simulation`, writes the commands beside
OUT and renames them there when all went well. Needs no server and no clock, delivers nothing, leaves no trace but its
two files. Holds all state and all outputs in memory; a line is bounded.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

import msgspec

from replay.event_file import EventFileError, lines
from replay.files import same_file, written_beside
from rules.processor import RulesProcessor
from rules.simulation import Simulation
from streams.intake import Intake, IntakeError
from streams.keys import SLICES
from streams.outputs import Decision, Derived
from streams.processor import Poisoned

PROGRESS_LINES: Final = 4_096

_INTAKE: Final = Intake(max_ahead=None, ticks=True, fingerprints=False)
_LONGEST: Final = _INTAKE.max_bytes
_CUT: Final = 1_000
"""Characters of a line that is too long which a reject shows."""


class SimulateError(Exception):
    """The run stopped and left no OUT. `line` is that of the events file, from 1; 0 if no line is to blame."""

    def __init__(self, message: str, line: int = 0) -> None:
        super().__init__(f"line {line}: {message}" if line else message)
        self.line = line


@dataclass(frozen=True, slots=True)
class SimulateOptions:
    events: Path
    commands: Path | None = None
    """OUT, JSON lines; None: only counted."""
    partitions: int = 1
    until: int | None = None
    """Microseconds; None: the greatest time in the file."""
    rejects: Path | None = None
    """Where malformed lines go; None: the first one stops the run."""


@dataclass(frozen=True, slots=True)
class Summary:
    """What happened. Counts; `seconds` from the first line to the last command, without start-up."""

    lines: int
    events: int
    duplicates: int
    late: int
    rejected: int
    commands: int
    shadow: int
    derived: int
    looped: int
    firings: dict[str, int]
    """Rule → how often it fired; every rule that is evaluated is named."""
    not_evaluated: dict[str, dict[str, Any]]
    """Rule → `{"count", "reason"}`, the newest reason."""
    not_in_schema: dict[str, int]
    """Event type → events that do not fit its schema."""
    not_in_schema_because: dict[str, str]
    """Event type → the newest reason."""
    seconds: float

    @property
    def events_per_second(self) -> float:
        return self.events / self.seconds if self.seconds else 0.0

    def document(self) -> dict[str, Any]:
        """As one JSON object."""
        shown: dict[str, Any] = msgspec.to_builtins(self)
        return {**shown, "seconds": round(self.seconds, 3), "events_per_second": round(self.events_per_second)}

    def text(self) -> str:
        """For people."""
        rows = [
            ("events", f"{self.events:,}"),
            ("commands", f"{self.commands:,}" + (f", and {self.shadow:,} in shadow" if self.shadow else "")),
        ]
        for name in ("derived", "looped", "late", "duplicates", "rejected"):
            count = getattr(self, name)
            if count or name in ("late", "duplicates"):
                rows.append((name, f"{count:,}"))
        rows += [(f"fired {rule}", f"{count:,}") for rule, count in self.firings.items()]
        rows += [
            (f"not evaluated {rule}", f"{found['count']:,}, last because {found['reason']}")
            for rule, found in self.not_evaluated.items()
        ]
        rows += [
            (f"not as declared {type}", f"{count:,}, last because {self.not_in_schema_because.get(type, '')}")
            for type, count in self.not_in_schema.items()
        ]
        rows.append(("took", f"{self.seconds:.2f} s, {self.events_per_second:,.0f} events/s"))
        width = max(len(name) for name, _ in rows)
        return "\n".join(f"{name:<{width}}  {value}" for name, value in rows)


def simulate(
    processor: RulesProcessor, options: SimulateOptions, progress: Callable[[int, int], None] = lambda done, size: None
) -> Summary:
    """Runs a compiled rule set over a file. `progress` is told bytes read of the file, and its size.

    Raises SimulateError for a malformed line (unless rejects are kept), a file that cannot be read or written, an event
    that cannot be evaluated; OUT and the file of rejects are then not there, or as they were."""
    _check(options)
    simulation = Simulation(processor, options.partitions)
    try:
        with ExitStack() as stack:
            out = stack.enter_context(written_beside(options.commands)) if options.commands else None
            rejects = stack.enter_context(written_beside(options.rejects)) if options.rejects else None
            events = stack.enter_context(options.events.open("rb"))
            began = time.perf_counter()
            read, rejected = _run(simulation, events, options.events.stat().st_size, rejects, progress)
            simulation.finish(options.until)
            if out is not None:
                encode = msgspec.json.Encoder().encode
                out.writelines(encode(command.document()) + b"\n" for command in simulation.commands)
            took = time.perf_counter() - began
    except EventFileError as error:
        raise SimulateError(str(error), error.line) from error
    except OSError as error:
        raise SimulateError(f"{error.filename or options.events}: {error.strerror or error}") from error
    return _summary(simulation, read, rejected, took)


def _check(options: SimulateOptions) -> None:
    if not 1 <= options.partitions <= SLICES:
        raise SimulateError(f"{options.partitions} partitions are not possible: choose 1 to {SLICES}")
    files = [file for file in (options.events, options.commands, options.rejects) if file is not None]
    for place, file in enumerate(files):
        if any(same_file(file, other) for other in files[:place]):
            raise SimulateError(f"{file} is named twice: events, commands and rejects are three files")


def _run(
    simulation: Simulation, file: IO[bytes], size: int, rejects: IO[bytes] | None, progress: Callable[[int, int], None]
) -> tuple[int, int]:
    """Lines that are not blank, and how many of them were rejected."""
    read, handle = _INTAKE.from_json, simulation.event
    handled = rejected = number = 0
    for number, line in lines(file, _LONGEST):
        if not number % PROGRESS_LINES:
            progress(file.tell(), size)
        if not line or line.isspace():
            continue
        handled += 1
        try:
            event = read(line, None)
        except IntakeError as error:
            if rejects is None:
                raise SimulateError(str(error), number) from error
            rejected += 1
            rejects.write(_reject(number, error, line))
            continue
        try:
            handle(event)
        except Poisoned as error:
            raise SimulateError(
                f"event `{event.id}` of `{event.source}` cannot be evaluated: {error}", number
            ) from error
    progress(size, size)
    return handled, rejected


def _reject(number: int, error: IntakeError, line: bytes) -> bytes:
    text = line.decode("utf-8", "replace")
    shown = text if len(line) <= _LONGEST else text[:_CUT] + "…"
    return msgspec.json.encode({"line": number, "error": str(error), "text": shown}) + b"\n"


def _summary(simulation: Simulation, lines: int, rejected: int, seconds: float) -> Summary:
    counts: dict[str, dict[str, int]] = {"fired": {}, "not_evaluated": {}, "schema": {}}
    for name, count in simulation.counts.items():
        kind, _, label = name.partition("|")
        counts.setdefault(kind, {})[label] = count
    commands = simulation.commands
    shadow = sum(command.shadow for command in commands)
    return Summary(
        lines=lines,
        events=simulation.events,
        duplicates=simulation.duplicates,
        late=simulation.late,
        rejected=rejected,
        commands=len(commands) - shadow,
        shadow=shadow,
        derived=sum(isinstance(output, Derived) and not output.shadow for output in simulation.outputs),
        looped=sum(isinstance(output, Decision) for output in simulation.outputs),
        firings={
            rule.name: counts["fired"].get(rule.name, 0) for rule in simulation.processor.ruleset.rules if rule.enabled
        },
        not_evaluated={
            rule: {"count": count, "reason": simulation.reasons.get(rule, "")}
            for rule, count in counts["not_evaluated"].items()
        },
        not_in_schema=counts["schema"],
        not_in_schema_because={type: simulation.reasons.get(f"event {type}", "") for type in counts["schema"]},
        seconds=seconds,
    )
