"""The command line: one file per noun, loaded when its command is called, so that `version` does not wait for a server.

Exit status: 0 done, 1 failed, 2 used wrongly, 3 not found, 4 conflict, 5 the server cannot be reached, or has no room,
130 interrupted by Ctrl-C.
"""

from typing import NoReturn


def main() -> NoReturn:
    """The console script."""
    import os

    try:
        from orchestrator.cli.main import run

        raise SystemExit(run())
    except KeyboardInterrupt:  # while modules are loaded
        os._exit(130)


__all__ = ["main"]
