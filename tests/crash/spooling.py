"""A producer that a test kills: publishes numbered events through a spool, and says which ones it was promised.

`python -m tests.crash.spooling URL FOLDER FIRST`: from event number FIRST on, three at a time, until it is killed. A
line of its output is the number of the last event that `publish` returned for.
"""

import sys
import time

from orchestrator_client import Client, Event, Publisher, Retry, Spool


def main() -> None:
    url, folder, number = sys.argv[1], sys.argv[2], int(sys.argv[3])
    with Client(url, retry=Retry(first=0.01)) as client, Spool(folder) as spool:
        publisher = Publisher(client, spool, batch=20, age=0.005)
        while True:
            publisher.publish(*(Event("paid", "till", f"e{n}", id=f"e{n}") for n in range(number, number + 3)))
            number += 3
            sys.stdout.write(f"{number - 1}\n")
            sys.stdout.flush()
            time.sleep(0.005)


if __name__ == "__main__":
    main()
