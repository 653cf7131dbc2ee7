"""As much of curl as the documentation uses, for machines without it: -s -i -X -H -d --data-binary, and one URL."""

import argparse
import http.client
import sys
from pathlib import Path
from urllib.parse import urlsplit


def main() -> None:
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("-s", action="store_true")
    parser.add_argument("-i", action="store_true")
    parser.add_argument("-X", dest="method")
    parser.add_argument("-H", dest="headers", action="append", default=[])
    parser.add_argument("-d", "--data-binary", dest="body")
    parser.add_argument("url")
    given = parser.parse_args()
    body = given.body
    if body is not None:
        body = Path(body[1:]).read_bytes() if body.startswith("@") else body.encode()
    headers = dict(each.split(": ", 1) for each in given.headers)
    if body is not None:
        headers.setdefault("Content-Type", "application/x-www-form-urlencoded")
    url = urlsplit(given.url)
    connection = http.client.HTTPConnection(url.hostname or "", url.port, timeout=30)
    path = url.path + (f"?{url.query}" if url.query else "")
    connection.request(given.method or ("GET" if body is None else "POST"), path, body, headers)
    answer = connection.getresponse()
    if given.i:
        sys.stdout.write(f"HTTP/1.1 {answer.status} {answer.reason}\n")
        sys.stdout.writelines([*(f"{name}: {value}\n" for name, value in answer.getheaders()), "\n"])
    sys.stdout.write(answer.read().decode())


if __name__ == "__main__":
    main()
