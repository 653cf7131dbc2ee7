"""The producer, a process of its own: `python -m tests.crash.chaos.load URL RATE` publishes events of the story, in
order and with sequences, until its standard input closes. What no answer came for, or what the log had no room for, is
sent again.

Prints a JSON line a second and at its end: `sent` events that are stored, `refused` times that the log was full,
`failed` times that it gave no answer.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from contextlib import closing
from typing import Final

from streams.backends.open import open_log
from streams.log import LogError, LogFull
from tests.crash.chaos.story import PARTITIONS, appends

STEP: Final = 0.05
"""Seconds of load that are sent at once."""
LATE: Final = 1.0
"""Seconds of load that may be made up for: what was not sent during a long silence stays unsent."""
GIVE_UP: Final = 60.0
"""Seconds without room or answer."""


def main() -> None:
    url, rate = sys.argv[1], int(sys.argv[2])
    stop = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), stop.set()), daemon=True).start()
    counts = {"sent": 0, "refused": 0, "failed": 0}
    step = max(int(rate * STEP), 1)
    with closing(open_log(url, partitions=PARTITIONS, now=lambda: time.time_ns() // 1000)) as log:
        due = told = time.monotonic()
        while not stop.is_set():
            batch = appends(counts["sent"], counts["sent"] + step)
            since = time.monotonic()
            while True:
                try:
                    log.append(batch)
                    break
                except LogError as error:
                    counts["refused" if isinstance(error, LogFull) else "failed"] += 1
                    reason = str(error)
                if time.monotonic() - since > GIVE_UP:
                    sys.exit(f"no event was taken for {GIVE_UP:.0f} s: {reason}")
                time.sleep(0.05)
            counts["sent"] += step
            now = time.monotonic()
            if now - told >= 1.0:
                told = now
                _tell(counts)
            due = max(due + STEP, now - LATE)
            stop.wait(max(due - now, 0))
    _tell(counts)


def _tell(counts: dict[str, int]) -> None:
    sys.stdout.write(json.dumps(counts) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
