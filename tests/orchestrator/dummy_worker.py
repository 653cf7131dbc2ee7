"""A worker without any work: ready at once, ends when told to. What else it does, files in its folder say.

`exit`: ends with this status before it is ready. `stubborn`: does not heed SIGTERM. `failing`: says that it hangs.
`late`: is ready only once this file is gone. `asks`: asks for this log level. It writes its process into `lives`, where
it answers into `address`, the log level that it was told into `level`, and `stopped` when it was told to stop.
"""

import json
import os
import signal
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, cast

from orchestrator.cli.show import json_line
from orchestrator.logs import configure
from orchestrator.parent import Parent
from orchestrator.settings import LogLevel

FOLDER = Path(sys.argv[1])
METRICS = """\
# HELP orchestrator_events_total Counted by each life.
# TYPE orchestrator_events_total counter
orchestrator_events_total 100
# HELP orchestrator_partition_running One.
# TYPE orchestrator_partition_running gauge
orchestrator_partition_running{partition="0"} 1
"""
parent = Parent(stop_within=2.0)


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/metrics":
            self._answer(200, METRICS.encode())
        elif (FOLDER / "failing").exists():
            self._answer(503, json.dumps({"status": "failing", "problems": ["it hangs", *parent.problems()]}).encode())
        else:
            self._answer(200, json.dumps({"status": "ok", "problems": parent.problems()}).encode())

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


def told_to_stop(within: float) -> bool:
    if signal.sigtimedwait([signal.SIGTERM], within) is None:
        return False
    (FOLDER / "stopped").touch()
    return not (FOLDER / "stubborn").exists()


configure("info")
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
(FOLDER / "level").unlink(missing_ok=True)
parent.heed(lambda level, until: (FOLDER / "level").write_text(level))
parent.watch()
with (FOLDER / "lives").open("a") as lives:
    lives.write(f"{os.getpid()}\n")
if (FOLDER / "exit").exists():
    raise SystemExit(int((FOLDER / "exit").read_text()))
while (FOLDER / "late").exists():
    if told_to_stop(0.01):
        raise SystemExit(0)
server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
address = f"http://127.0.0.1:{server.server_port}"
(FOLDER / "address").write_text(address)
json_line({"http": "http://shared", "metrics": f"{address}/metrics"})
while not told_to_stop(0.1):
    if (FOLDER / "asks").exists():
        sys.stdout.write("not for the parent\n")
        parent.ask(cast(LogLevel, (FOLDER / "asks").read_text()), None)
        (FOLDER / "asks").unlink()
