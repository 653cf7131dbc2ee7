"""A console that several processes of one server answer, each for all of it."""

from __future__ import annotations

import http.client
import re
from collections.abc import Iterator
from urllib.parse import urlencode

import pytest

from tests.conformance.backends import redis_url
from tests.console.scene import Scene

EVENT = '{"type": "order.placed", "subject": "A1", "data": {"total": 2000, "customer": "c1"}}'


@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("several")
    made = Scene(folder, redis_url("single", folder), "--workers", "2")
    try:
        made.fill()
        yield made
    finally:
        made.stop()


def ask(scene: Scene, path: str, form: dict[str, str] | None = None, cookie: str = "") -> tuple[int, str, str]:
    """(status, text, the cookie that was set), over a connection of its own: any process may answer."""
    connection = http.client.HTTPConnection("127.0.0.1", scene.port, timeout=30)
    headers = {"Cookie": cookie, "Connection": "close"}
    if form is None:
        connection.request("GET", path, headers=headers)
    else:
        headers |= {"Content-Type": "application/x-www-form-urlencoded", "Origin": scene.url}
        connection.request("POST", path, urlencode(form), headers)
    with connection.getresponse() as answer:
        found = answer.status, answer.read().decode(), (answer.headers["Set-Cookie"] or "").partition(";")[0]
    connection.close()
    return found


def test_each_process_shows_all_partitions_and_says_which_are_elsewhere(several: Scene) -> None:
    seen: set[tuple[str, ...]] = set()
    for _ in range(200):
        status, text, _ = ask(several, "/")
        assert status == 200
        states = tuple(re.findall(r"(running|elsewhere|waiting)</span>", text))
        assert len(states) == 4
        seen.add(states)
        shares = [each for each in seen if {"running", "elsewhere"} == set(each)]
        if len(shares) >= 2:
            break
    else:
        raise AssertionError(f"only these were seen: {seen}")


def test_counts_of_rules_are_said_to_be_of_the_partitions_of_the_process(several: Scene) -> None:
    _, text, _ = ask(several, "/console/rules")
    assert re.search(r"Counts are of the [0-4] partitions that this process evaluates", text)


def test_a_form_of_one_process_is_taken_by_another(several: Scene) -> None:
    _, text, cookie = ask(several, "/console/dry-run")
    token = text.split('name="token" value="')[1].split('"')[0]
    for _ in range(12):
        status, text, _ = ask(several, "/console/dry-run", {"token": token, "event": EVENT, "state": "now"}, cookie)
        assert status == 200
        assert "large-order" in text


def test_a_key_is_freed_by_any_process(several: Scene) -> None:
    _, text, cookie = ask(several, "/console/keys/skip?key=nuts")
    token = text.split('name="token" value="')[1].split('"')[0]
    status, _, _ = ask(several, "/console/keys/skip?key=nuts", {"token": token, "sure": "yes"}, cookie)
    assert status == 303
    several.until(lambda: all(each["key"] != "nuts" for each in several.get("/v1/keys/blocked")["keys"]))
