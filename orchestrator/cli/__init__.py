"""The command line: one file per noun, loaded when its command is called, so that `version` does not wait for a server.

Exit status: 0 done, 1 failed, 2 used wrongly, 3 not found, 4 conflict, 5 the server cannot be reached.
"""

from orchestrator.cli.main import main

__all__ = ["main"]
