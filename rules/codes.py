"""The catalogue of diagnostic codes: what each one means, and what an author does about it.

Every `Diagnostic` has a code of this list. Tools show the texts where there is room for more than a message: SARIF's
rule metadata, and the page docs/diagnostics.md, which is written from here. Codes are never renamed: people switch them
off by name. A text is plain English with back-ticks around code.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Severity = Literal["error", "warning", "note"]


@dataclass(frozen=True, slots=True)
class Code:
    id: str
    severity: Severity
    """What it mostly is. A diagnostic says its own."""
    short: str
    """One sentence, no full stop."""
    help: str
    """Why it matters and what to do, some sentences."""


CATALOGUE: Final[tuple[Code, ...]] = (
    # ------------------------------------------------------------ the text of a file
    Code(
        "file",
        "error",
        "The file cannot be read as text",
        "Rule files are UTF-8 text of at most five million characters, without control characters. The message names "
        "the byte or character and its place. An empty file, or no file at all, is no rule set either.",
    ),
    Code(
        "yaml",
        "error",
        "The text is not YAML that rule files may hold",
        "Rule files are YAML 1.2 or JSON: one document, no tags, no anchors, no aliases. Most often a text begins "
        "with a character that means something to YAML (`!`, `*`, `&`, `[`, `{`, `>`, `|`, `%`, `@`) or holds `: ` or "
        "` #`: put it in quotes.",
    ),
    Code(
        "duplicate-key",
        "error",
        "A key stands twice in one map",
        "YAML would silently keep one of the two. Give one of them another name, or merge what stands below them.",
    ),
    Code(
        "document",
        "error",
        "A stored rule set cannot be used",
        "A log keeps every rule set that was ever active. This one was stored by another level of the engine, or is "
        "not what a log keeps. Use a version that reads it.",
    ),
    # ------------------------------------------------------------ Python rules
    Code(
        "python",
        "error",
        "A file of Python rules cannot be used",
        "The file is compiled and run once when rules are loaded. It must be Python, run without an error, and hold at "
        "least one function below `@rule(on=…)` that takes `(event, state, now)`. The message says what failed.",
    ),
    Code(
        "impure",
        "error",
        "A Python rule uses what a replay could not repeat",
        "The same events must give the same commands on every machine and at every replay. So a rule reads no clock, "
        "no random number, no file and no network, and imports only modules of Python that just compute: the time is "
        "`now`, everything else is in `event` and `state`. This guards against mistakes and is no sandbox.",
    ),
    Code(
        "module-missing",
        "error",
        "A stored rule set needs a file of Python rules that is not there",
        "A log keeps the hash of each file of Python rules and never its text. To replay what an older text decided, "
        "name that text too, with `--python-rules-old` (`ORCHESTRATOR_PYTHON_RULES_OLD`): the file of the right hash "
        "is found by itself.",
    ),
    # ------------------------------------------------------------ keys and kinds of values
    Code(
        "unknown-key",
        "error",
        "A key that nothing reads",
        "Keys that are not known are refused, never ignored: a misspelt `unles` would make a deadline that nothing "
        "cancels. The hint names the key that was probably meant.",
    ),
    Code(
        "missing",
        "error",
        "A part that cannot be left out is missing",
        "A rule needs `on` (or `sequence`) and `then`, a command needs `to`, a test needs `given` and `expect`. The "
        "caret shows the map in which it is missing.",
    ),
    Code(
        "wrong-kind",
        "error",
        "A value of another kind is needed here",
        "The place wants a map, a list, a text, a whole number, `true` or `false`, and there is something else. Only "
        "`true` and `false` are booleans: `yes` and `on` are texts.",
    ),
    Code(
        "conflict",
        "error",
        "Two parts that contradict each other",
        "The two cannot stand together: `once` with `once_within`, `unless` without `after`, two values of "
        "`lateness`, an action that is a command and an event. Leave one out.",
    ),
    Code(
        "misplaced",
        "error",
        "A part stands where it means nothing",
        "`not` ends what waits for the step behind it: it stands between two steps of a sequence, not at the beginning "
        "and not at the end. To wait for something that does not come, use `after` and `unless`.",
    ),
    Code(
        "twice",
        "warning",
        "Something is named twice where once is enough",
        "It changes nothing, and is probably meant to be something else.",
    ),
    # ------------------------------------------------------------ names, types, times
    Code(
        "bad-name",
        "error",
        "A name that cannot be used",
        "Names that expressions read (projections, fields, `let`) are letters, digits and `_`, do not begin with a "
        "digit, and are none of the words that expressions have already. Names of rules and tests are one line of "
        "text.",
    ),
    Code(
        "duplicate-name",
        "error",
        "Two files use the same name",
        "All files of a rule set share one space of names for rules, for projections and for tests. The message says "
        "where the other one is.",
    ),
    Code(
        "bad-type",
        "error",
        "Not an event type",
        "A type is a text without spaces and commas; several types are a list. `payment.*` and `'*'` are the only "
        "forms of pattern, and stand for business events alone: results of commands are named in full.",
    ),
    Code(
        "bad-version",
        "error",
        "Not a version of an event",
        "Versions are whole numbers from 1: `order.placed/2` declares the second, and `order.placed` alone the first. "
        "`from/1` says how data of version 1 become those of the version in which it stands, which must be newer.",
    ),
    Code(
        "version-gap",
        "error",
        "An older version leads to the newest by no way, or by two",
        "Events that say no version are of version 1, and the log keeps what came in for ever, so every version from 1 "
        "on needs one `from/N` in a later one. Where the data can stay as they are it is `from/N: {}`.",
    ),
    Code(
        "version-fields",
        "error",
        "What is brought up does not become what the newer version declares",
        "A field that `from/N` names is set, one that it does not name is kept. Say how a field becomes what the newer "
        "version says it is, give one that is new a value, or declare it with `?`. Events that do not fit are accepted "
        "and counted, and most rules cannot be evaluated for them.",
    ),
    Code(
        "unknown-type",
        "warning",
        "An event type that nobody declares, nearly like one that is declared",
        "Rules for types that never come are silent for ever, so a slip of the pen in `on` is easily missed. If the "
        "type is right, declare it under `events:`.",
    ),
    Code(
        "unheard",
        "error",
        "`by` speaks of a type that its owner does not listen to",
        "An entry of a `by` map that no event can reach has no effect. Name a type of `on`, of `unless` or of the "
        "fold.",
    ),
    Code(
        "bad-duration",
        "error",
        "Not a duration",
        "Durations are `500ms`, `30s`, `10m`, `48h`, `60d`, `2w`, and sums such as `1h30m`. Months and years are no "
        "fixed time: write days.",
    ),
    Code(
        "bad-time",
        "error",
        "Not a time",
        "Times are RFC 3339 with `Z` or an offset: `2024-01-31T12:30:00Z`.",
    ),
    Code(
        "bad-event",
        "error",
        "A given event of a test is no event",
        "Events under `given` are CloudEvents: they need a `type`, and their attributes must be those of an event. "
        "`id` and `source` are filled in.",
    ),
    Code(
        "leading-zero",
        "warning",
        "A number that loses its zeros",
        "YAML reads `007` as the number 7. Where the zeros matter (codes, account numbers), put quotes around it.",
    ),
    Code(
        "unknown-target",
        "error",
        "A command goes to a target that nobody knows",
        "Targets are declared in the targets file; `log` and `alerts` are always there. A command to an unknown "
        "target would wait for ever.",
    ),
    # ------------------------------------------------------------ expressions
    Code(
        "expression",
        "error",
        "An expression that cannot be used",
        "It is not CEL, names something that does not exist here, does something that can never succeed, or gives a "
        "value that this place cannot use. The caret is at the exact character, also inside quotes.",
    ),
    Code(
        "unknown-field",
        "warning",
        "A field or attribute that is declared nowhere",
        "Reading a field that is absent makes the rule not evaluated, so a misspelt field makes a rule that never "
        "fires. What producers send is in `event.data`; the schema under `events:` says its fields.",
    ),
    Code(
        "other-key",
        "error",
        "A row of another key is read, or meant",
        "A rule reads the row of its own key by the name of the projection, `fines.amount`. Rows of other keys lie in "
        "other partitions, and are read as `name[key]` only of projections with `scope: everywhere`. It is a warning "
        "where a rule and a projection hear the same events and make different keys of them: the row that is read is "
        "not the row that was folded. Give the rule the `by` of the projection, or an `emit` with the other key as "
        "its `subject` to a rule of that key.",
    ),
    Code(
        "optional-field",
        "note",
        "A field is read that may be absent",
        "Where it is absent the rule is not evaluated, with the reason counted, or the projection does not fold. That "
        "may be meant. If not, ask first: `has(event.data.x) && event.data.x > 1`.",
    ),
    Code(
        "unused",
        "warning",
        "A value that nothing reads",
        "A `let` value that nothing reads costs time and misleads readers, and so does a decision table that no rule "
        "reads, an input that no row looks at or an output that no row gives. Remove it, or use it.",
    ),
    # ------------------------------------------------------------ decision tables
    Code(
        "bad-cell",
        "error",
        "A cell of a decision table that cannot be read",
        "A cell is `-` for anything, a constant (`10`, `true`, or a string with quotes inside the quotes of YAML: "
        "`\"'gold'\"`), a comparison without its left side (`>= 10`), `in [1, 2]`, or a range (`[1..10)` has 1 and not "
        "10). Cells compare with constants: anything else can be an input of its own, whose cells are `true` and "
        "`false`.",
    ),
    Code(
        "bad-row",
        "error",
        "A row of a decision table that does not fit its inputs",
        "A row has one cell for each input, in their order, and ends with a map of what it says.",
    ),
    Code(
        "unknown-output",
        "error",
        "A row gives an output that its table does not name",
        "The outputs of a table are listed under `outputs`, so that a misspelt one is found. A row may leave some out.",
    ),
    Code(
        "wrong-type",
        "warning",
        "A cell compares its input with another kind of value",
        "The type of the input is known, from a schema or from what the expression does, and no value of it can fit. "
        "Values of two kinds are never equal, and to ask which is larger is an error.",
    ),
    Code(
        "mixed-types",
        "warning",
        "Cells of one input ask for the order of two kinds of values",
        "A value is a number or a text: whichever it is, asking whether it is larger than the other makes the row an "
        "error, and so the table, unless another cell of the row is false.",
    ),
    Code(
        "unreachable-row",
        "warning",
        "A row of a decision table that can never be the first that fits",
        "Whatever fits this row fits a row before it. Put the special before the general, or take the row away.",
    ),
    Code(
        "duplicate-row",
        "warning",
        "A row of a collecting table that stands twice",
        "A table that collects says both, so what it says is there twice. Take one of them away.",
    ),
    Code(
        "uncovered",
        "warning",
        "Inputs that no row of a decision table covers",
        "The message has one example. The table then says nothing (an empty map), and what reads an output of it is "
        "not evaluated. A last row whose cells are all `-` is for everything else. A table that collects is not looked "
        "at: there no row at all is an answer.",
    ),
    # ------------------------------------------------------------ conditions
    Code(
        "never-fires",
        "warning",
        "A condition that no event can meet",
        "Its comparisons contradict each other, or contradict what is known: the types in `on`, the schema, that keys "
        "are text. The rule is silent for ever, and no test of it fails until somebody waits for it. Events that do "
        "not fit their schema may be otherwise.",
    ),
    Code(
        "never-true",
        "warning",
        "A part of an expression that can never be true",
        "The same as `never-fires`, inside of a larger expression: one side of `||`, the condition of `? :`, what "
        "`exists` looks for. The rest of the expression still works, so nobody misses it.",
    ),
    Code(
        "always-true",
        "note",
        "A comparison that decides nothing",
        "It follows from others beside it, or no event can miss it. That is harmless where it is meant for readers; "
        "often it shows that a bound or a constant is not the one that was meant. Where one of several alternatives "
        "always holds (`x != 'a' || x != 'b'`) it is a warning: `&&` was meant.",
    ),
    # ------------------------------------------------------------ state
    Code(
        "no-first-value",
        "warning",
        "A field of a projection that never gets a value",
        "Every fold of the field reads the field itself, and nothing gives it a first value: the first event cannot "
        "be folded, and so no other. `initial:` gives first values.",
    ),
    Code(
        "unbounded",
        "warning",
        "State that grows for ever",
        "What is kept for every key that ever comes, and never let go, grows as long as the system lives. `keep` "
        "bounds it, `delete` names events that end a row, and a key that comes more than once makes fewer rows.",
    ),
    # ------------------------------------------------------------ rules among each other
    Code(
        "loop",
        "warning",
        "Rules that set each other off in a circle",
        "A rule emits an event, or sends a command whose result is an event, that leads back to the same rule. A "
        "chain deeper than 16 is parked as a loop. If nothing on the way can stop it, that is a warning; where a "
        "condition, a deadline or a throttle is on the way it is a note, for they may end it. A `when` that the "
        "events of the circle contradict ends it surely, and then nothing is said.",
    ),
    Code(
        "same-rule",
        "warning",
        "Two rules that say the same",
        "Nothing consumes an event, so both fire, and every command goes out twice under two ids. Remove one of them, "
        "or tell them apart by a condition.",
    ),
    # ------------------------------------------------------------ the set as a whole
    Code(
        "no-name",
        "warning",
        "The rule set has no name",
        "The name is part of every command's id. Without one it is `rules`, and giving one later changes all ids, so "
        "that targets take commands they have seen for new ones.",
    ),
    Code(
        "nothing-enabled",
        "warning",
        "No rule is enabled",
        "The set folds its projections and decides nothing.",
    ),
)

CODES: Final[dict[str, Code]] = {code.id: code for code in CATALOGUE}
