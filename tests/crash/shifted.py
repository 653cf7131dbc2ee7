"""A process whose wall clock is another: libfaketime reads by how many seconds from a file, every second anew."""

import subprocess
from pathlib import Path

SCRIPT = Path(__file__).parent.parent / "services" / "faketime"


def set_clock(file: Path, seconds: int) -> None:
    part = file.with_suffix(".part")
    part.write_text(f"{seconds:+d}\n")
    part.replace(file)


def variables(file: Path) -> dict[str, str]:
    """The environment of a process that reads this file."""
    library = subprocess.run([SCRIPT], capture_output=True, text=True, timeout=300, check=True)
    return {
        "LD_PRELOAD": library.stdout.strip(),
        "FAKETIME_TIMESTAMP_FILE": str(file),
        "FAKETIME_CACHE_DURATION": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "NO_FAKE_STAT": "1",
    }
