"""Runs the steps of a Dockerfile without Docker, as far as that goes: one root for all its stages, in a folder.

Absolute paths of the image lie under that folder. What makes users of the system is left out. COPY takes what git
knows, as a build from a clone would.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

OURS: Final = re.compile(r"(?<![\w/.-])/(opt|src|wheels|data)(?![\w-])")
"""Top folders of the image that its steps write to."""


@dataclass
class Image:
    root: Path
    environment: dict[str, str] = field(default_factory=dict)
    entrypoint: list[str] = field(default_factory=list)
    command: list[str] = field(default_factory=list)
    health: list[str] = field(default_factory=list)
    user: str = ""
    workdir: Path = Path("/")
    left_out: list[str] = field(default_factory=list)

    def here(self, text: str) -> str:
        """Paths of the image as paths of this machine."""
        return OURS.sub(lambda found: f"{self.root}/{found[1]}", text)

    @property
    def variables(self) -> dict[str, str]:
        return {"HOME": "/nonexistent", **{name: self.here(value) for name, value in self.environment.items()}}


def build(file: Path, root: Path) -> Image:
    """`root` is an empty folder. Raises CalledProcessError with what a step printed."""
    image = Image(root)
    for name, text in _instructions(file.read_text()):
        match name:
            case "FROM":
                image.environment, image.workdir = {}, Path("/")
            case "WORKDIR":
                image.workdir = Path(image.here(text))
                image.workdir.mkdir(parents=True, exist_ok=True)
            case "COPY":
                _copy(image, file.parent, text)
            case "RUN":
                _run(image, text)
            case "ENV":
                image.environment.update(_variables(text, image))
            case "USER":
                image.user = text
            case "ENTRYPOINT":
                image.entrypoint = json.loads(text)
            case "CMD":
                image.command = json.loads(text)
            case "HEALTHCHECK":
                image.health = json.loads(text[text.index("[") :])
            case "VOLUME" | "EXPOSE" | "STOPSIGNAL":
                pass
            case _:
                raise AssertionError(f"nobody knows what {name} does here")
    return image


def _instructions(text: str) -> list[tuple[str, str]]:
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\s*\\\n\s*", " ", "\n".join(lines))
    return [(name, rest.strip()) for name, _, rest in (line.partition(" ") for line in joined.splitlines() if line)]


def _copy(image: Image, context: Path, text: str) -> None:
    options, *parts = text.split() if text.startswith("--") else ["", *text.split()]
    *sources, to = parts
    if options.startswith("--from="):
        assert all(Path(image.here(source)).exists() for source in sources)
        return
    known = subprocess.run(
        ["git", "ls-files", "-z", "--", *sources], cwd=context, capture_output=True, check=True, text=True
    ).stdout.split("\0")
    target = image.workdir / to
    for name in filter(None, known):
        source = next(each for each in sources if name == each or name.startswith(f"{each}/"))
        inner = Path(name).relative_to(source)
        copied = target / inner if inner.parts else target / (Path(name).name if to.endswith("/") else "")
        copied.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(context / name, copied)


def _run(image: Image, text: str) -> None:
    if text.startswith("useradd"):
        image.left_out.append(text)
        return
    # The image's python is the one that runs this.
    path = f"{image.root}/bin:{os.environ['PATH']}"
    (image.root / "bin").mkdir(exist_ok=True)
    python = image.root / "bin" / "python"
    if not python.exists():
        python.symlink_to(Path(sys.base_prefix) / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}")
    done = subprocess.run(
        ["sh", "-ec", image.here(text)],
        cwd=image.workdir,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, f"RUN {text}\n{done.stdout}{done.stderr}"


def _variables(text: str, image: Image) -> dict[str, str]:
    found: dict[str, str] = {}
    for part in shlex.split(text):
        name, _, value = part.partition("=")
        found[name] = value.replace("$PATH", os.environ["PATH"])
    return found
