"""Rule files as hurried authors write them: every style of YAML, any indentation, comments wherever one may stand."""

from __future__ import annotations

from random import Random
from typing import Any

PLAIN = ("word", "two words", "a#b", "x:y", "2024-01-01T00:00:00Z", "007", "0x1F", "1e3", "-1.50", "true", "null", "é𝄞")
QUOTED = ("'single'", "'it''s'", '"double \\u00e9"', "'a: b # c'", '"{[,]}"', "''", '"${event.data.x}"', "'${key} x'")
FOLDED = (
    ("'begins", "ends'"),
    ('"begins', "", "ends\\", ' here"'),
    ("plain text", "goes on", "", "and on"),
    ('"a \\ ', "b\\n", '\\  c"'),
)
BLOCKS = (("one",), ("one", "  more", "", "last"), ("", "after an empty line"), ("  begins indented", "less"), ("",))
COMMENTS = ("# note", "#note", "# a: b", "# 'quoted", "# {[", "#", "# old: {x: 1}", "## é")


class Scribble:
    """Text of one file; `lines` of the current one are made by recursion over what is to be said."""

    def __init__(self, random: Random, comments: float = 0.15) -> None:
        self.random = random
        self.share = comments
        self.written = 0

    def file(self) -> str:
        said = {
            "ruleset": "'t'",
            "rules": {f"rule {n}": self.rule() for n in range(self.random.randrange(4))},
            "tests": {f"'test {n}'": self.test() for n in range(self.random.randrange(2))},
        }
        lines = [*self.above(0), *self.block(self.shuffled(said), 0), *self.above(0)]
        end = self.random.choice(("\n", "\n\n", ""))
        return "\n".join(lines) + end

    def rule(self) -> dict[str, Any]:
        keys: dict[str, Any] = {"on": self.random.choice(("a.b", "'*'", ["a.b", "c.*"], ["a"]))}
        keys["then"] = [self.action() for _ in range(self.random.randrange(1, 4))]
        optional = {
            "description": "WORDS",
            "when": "event.data.x > 1",
            "by": self.random.choice(("event.data.k", {"'*'": "event.data.k"})),
            "let": {"one": "1 + 1", "two": "\"'two'\"", "three": "true"},
            "once_within": "1h",
            "priority": "7",
            "shadow": "true",
        }
        keys |= {key: value for key, value in optional.items() if self.random.random() < 0.4}
        if self.random.random() < 0.3:
            keys |= {
                "after": "10m",
                "unless": self.random.choice(("a.c", {"on": "a.c", "when": "start.id == event.id"})),
            }
        return self.shuffled(keys)

    def action(self) -> dict[str, Any]:
        made = self.random.choice(
            (
                {"command": "do", "to": "log", "args": self.payload(3, True)},
                {"emit": "a.d", "data": self.payload(2)},
                {"alert": "'text of it'", "severity": "low"},
            )
        )
        return self.shuffled(made)

    def test(self) -> dict[str, Any]:
        given = {"type": "a.b", "time": "2024-01-01T00:00:00Z", "data": self.payload(2)}
        return {"given": [given] * self.random.randrange(3), "expect": []}

    def payload(self, depth: int, a_map: bool = False) -> Any:
        choice = 9 if a_map else self.random.randrange(10 if depth else 6)
        if choice < 6:
            return self.random.choice((*PLAIN, *QUOTED, "TEXT", "TEXT"))
        if choice < 8:
            return [self.payload(depth - 1) for _ in range(self.random.randrange(4))]
        return {f"k{n}": self.payload(depth - 1) for n in range(self.random.randrange(4))}

    # ------------------------------------------------------------ how it is written

    def shuffled(self, entries: dict[str, Any]) -> dict[str, Any]:
        return dict(self.random.sample(list(entries.items()), len(entries)))

    def comment(self) -> str:
        self.written += 1
        return f"{self.random.choice(COMMENTS)} {self.written}"

    def above(self, indent: int) -> list[str]:
        """Empty lines and comments."""
        made: list[str] = []
        while self.random.random() < self.share:
            column = self.random.choice((indent, indent, indent, 0, indent + 2, indent + 5))
            made.append(self.random.choice(("", " " * column + self.comment())))
        return made

    def behind(self) -> str:
        if self.random.random() >= self.share:
            return ""
        return " " * self.random.randrange(1, 9) + self.comment()

    def block(self, value: Any, indent: int) -> list[str]:
        """Lines of a list or map that is not empty, the first one indented too."""
        lines: list[str] = []
        for entry in value.items() if isinstance(value, dict) else value:
            if lines:
                lines += self.above(indent)
            if isinstance(value, dict):
                key, child = entry
                lines += self.entry(" " * indent + key + ":", child, indent, self.step())
            else:
                lines += self.item(entry, indent)
        return lines

    def step(self) -> int:
        return self.random.choice((2, 2, 2, 4, 1, 3))

    def entry(self, begin: str, value: Any, indent: int, step: int) -> list[str]:
        if isinstance(value, (dict, list)):
            if not value or self.random.random() < 0.4:
                return self.on_line(begin, self.flow(value), indent + step)
            # a list may be indented like the key above it, behind which no text of its own goes on
            inner = (
                indent
                if isinstance(value, list) and begin.endswith(":") and self.random.random() < 0.3
                else indent + step
            )
            return [begin + self.behind(), *self.above(inner), *self.block(value, inner)]
        return self.scalar(begin, value, indent, step)

    def item(self, value: Any, indent: int) -> list[str]:
        begin = " " * indent + "-"
        if isinstance(value, (dict, list)) and value and self.random.random() < 0.6:
            gap = self.random.choice((1, 1, 3))
            if self.random.random() < self.share:
                inner = indent + 1 + gap
                return [begin + self.behind(), *self.above(inner), *self.block(value, inner)]
            lines = self.block(value, indent + 1 + gap)
            return [begin + " " * gap + lines[0].lstrip(" "), *lines[1:]]
        return self.entry(begin, value, indent, 2)

    def scalar(self, begin: str, value: str, indent: int, step: int) -> list[str]:
        if value not in ("TEXT", "WORDS"):
            return self.on_line(begin, [value], indent + step)
        if self.random.random() < 0.5:
            return self.on_line(begin, list(self.random.choice(FOLDED)), indent + step)
        lines = self.random.choice(BLOCKS if value == "TEXT" else BLOCKS[:-1])
        first = next((line for line in lines if line), "")
        digit = str(step) if first.startswith(" ") or self.random.random() < 0.2 else ""
        head = self.random.choice("|>") + digit + self.random.choice(("", "-", "+"))
        empty = [""] * self.random.randrange(3)
        text = [" " * (indent + step) + line if line else "" for line in lines]
        return [f"{begin} {head}{self.behind()}", *text, *empty]

    def on_line(self, begin: str, lines: list[str], indent: int) -> list[str]:
        """Behind its key, or below it."""
        first, *others = lines
        pad = " " * self.random.choice((1, 1, 1, 4))
        more = [" " * (indent + self.random.randrange(3)) + line.lstrip(" ") if line else "" for line in others]
        if self.random.random() < 0.1:
            return [begin + self.behind(), *self.above(indent), " " * indent + first, *more[:-1]] + (
                [more[-1] + self.behind()] if more else []
            )
        made = [begin + pad + first, *more]
        return [*made[:-1], made[-1] + self.behind()]

    def flow(self, value: Any) -> list[str]:
        """In brackets, broken behind commas here and there."""
        if isinstance(value, str):
            return [self.random.choice(QUOTED[:3])] if value in ("TEXT", "WORDS") else [value]
        left, right = "{}" if isinstance(value, dict) else "[]"
        lines = [left]

        def broken() -> None:
            if self.random.random() < 0.1 or (self.share and self.random.random() < self.share / 2):
                lines[-1] += self.behind()
                lines.extend(line for line in self.above(3) if line)
                lines.append("")

        for number, entry in enumerate(value.items() if isinstance(value, dict) else value):
            if number:
                lines[-1] += "," + self.random.choice((" ", "  "))
                broken()
            key, child = entry if isinstance(value, dict) else ("", entry)
            first, *others = self.flow(child)
            lines[-1] += (f"{key}: " if key else "") + first
            lines.extend(others)
        broken()
        lines[-1] += right
        return lines
