"""A server whose commits ask nobody whether they may, and whose leases are renewed whoever has them: `python -m
tests.crash.chaos.unfenced server …`. It shows that the trial finds what a fence is for. The product has no such switch:
the scripts' texts are changed before they are used.
"""

from __future__ import annotations

from streams.backends.redis import commit as redis_commit
from streams.backends.redis import log as redis_log
from streams.backends.redis.scripts import Script

LEASE = "if found[1] ~= ARGV[3] or found[2] ~= ARGV[4] then return {run, 'fenced', 0} end\n"
PLACE = "if position ~= ARGV[6] then return {run, 'mismatch', 0} end\n"
DONE = "if position == ARGV[7] then return {run, 'done', 0} end\n"
RENEWAL = "if held[1] ~= ARGV[3] or held[2] ~= ARGV[4] then return {run, 0} end\n"
FEED = "if ARGV[9] ~= '0' then\n"


def remove_the_fence() -> None:
    text = redis_commit._COMMIT.text
    for part in (LEASE, PLACE, DONE):
        assert text.count(part) == 1, f"the script was changed: {part}"
        text = text.replace(part, "")
    assert text.count(FEED) == 1, f"the script was changed: {FEED}"
    # Positions go back now, and entries of a feed can only be added behind its last one: in the middle of a script that
    # has added events, the error would leave a partition that takes no more.
    text = text.replace(FEED, "if false then\n")
    redis_commit._COMMIT = Script(text)  # type: ignore[misc]
    # Who has slept would hear it from this, too, before it commits anything.
    text = redis_log._RENEW.text
    assert text.count(RENEWAL) == 1, f"the script was changed: {RENEWAL}"
    redis_log._RENEW = Script(text.replace(RENEWAL, ""))  # type: ignore[misc]


if __name__ == "__main__":
    from orchestrator.cli import main

    remove_the_fence()
    main()
