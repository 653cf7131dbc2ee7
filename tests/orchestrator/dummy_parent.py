"""A parent of dummy workers: as many as folders are named, with the patience that is given as JSON."""

import asyncio
import json
import os
import sys
from pathlib import Path

from orchestrator.child import Command, Patience
from orchestrator.cli.show import json_line, note
from orchestrator.logs import configure
from orchestrator.supervisor import Supervisor, WorkersFailed

WORKER = Path(__file__).with_name("dummy_worker.py")


async def run(patience: Patience, folders: list[str]) -> None:
    commands = [Command([sys.executable, str(WORKER), folder], os.environ) for folder in folders]
    await Supervisor(commands, "127.0.0.1", 0, patience).run(json_line)


configure("info")
try:
    asyncio.run(run(Patience(**json.loads(sys.argv[1])), sys.argv[2:]))
except WorkersFailed as error:
    note(str(error))
    raise SystemExit(error.status) from None
