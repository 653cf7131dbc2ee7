"""The way to Redis: scripts that are forgotten, slots that move, answers that are lost, users, TLS, addresses."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from streams.backends.open import open_log
from streams.backends.redis.open import open_redis
from streams.backends.redis.servers import RedisServers
from streams.backends.redis.url import Address, RedisOptions, parse
from streams.log import Append, Code, Log, LogError, LogUnavailable
from tests.conformance.backends import SMALL, Clock, Writer, command, event, events, ids, put, redis_url
from tests.conformance.proxy import Proxy
from tests.conformance.redis_servers import Servers, addresses

CERTIFICATE = Path(__file__).parent.parent / "adapters" / "self_signed.pem"


def opened(url: str) -> Log:
    return open_redis(parse(url), partitions=3, limits=SMALL, clock=Clock())


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    log = opened(redis_url("single", tmp_path))
    yield log
    log.close()


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    host, port = addresses("single").split(":")
    proxy = Proxy((host, int(port)))
    yield proxy
    proxy.close()


@pytest.fixture
def unreliable(proxy: Proxy, tmp_path: Path) -> Iterator[Log]:
    """A log whose answers the proxy loses."""
    name = redis_url("single", tmp_path).rpartition("=")[2]
    log = opened(f"redis://127.0.0.1:{proxy.port}?name={name}")
    yield log
    log.close()


def admin() -> redis.Redis:
    return redis.Redis(port=int(addresses("single").rpartition(":")[2]))


# -- scripts and slots


def test_a_script_that_the_server_forgot_is_sent_again(log: Log) -> None:
    writer = Writer(log)
    for number in range(3):
        admin().script_flush()
        assert log.append([Append(0, [event(number)])])[0].offset == number * 2 + 1
        admin().script_flush()
        assert writer.commit(put("k", b"%d" % number), events=[event(9)]) is Code.COMMITTED
    assert log.tail(0) == 6
    assert log.rows(0, "rules", ["k"]) == {"k": b"2"}


def test_calls_follow_a_slot_that_moves_to_another_master(tmp_path: Path) -> None:
    servers = Servers(tmp_path / "servers", "--cluster", "3", ports=3)
    try:
        log = opened(servers.url())
        log.append([Append(0, events(1, 3), "p", [1, 2, 3])])
        writer = Writer(log)
        assert writer.commit(put("k", b"1"), outputs=[command(1)]) is Code.COMMITTED
        appended: list[int] = []
        failures: list[BaseException] = []
        stop = threading.Event()

        def append() -> None:
            number = 10
            try:
                while not stop.is_set():
                    appended.append(log.append([Append(0, [event(number)], "q", [number])])[0].offset)
                    number += 1
            except BaseException as error:
                failures.append(error)

        thread = threading.Thread(target=append)
        thread.start()
        move(servers, "{log:0}:meta")
        # Whoever owned it starts again, because the new master cannot know that it has everything.
        assert writer.commit(put("k", b"2")) is Code.FENCED
        writer = Writer(log)
        assert writer.position == 1
        assert writer.commit(put("k", b"2"), outputs=[command(2)]) is Code.COMMITTED
        seen = len(appended)
        while len(appended) < seen + 20 and thread.is_alive():
            time.sleep(0.01)
        stop.set()
        thread.join()
        assert failures == []
        assert appended == list(range(4, 4 + len(appended)))
        assert log.outputs(0, 0, 10) == (1, [command(1), command(2)])
        assert list(log.check()) == []
        assert log.info.generation == 1
        log.close()
    finally:
        servers.stop()


def move(servers: Servers, key: str) -> None:
    """The slot of this key, with all that is in it, to another master."""
    clients = [servers.client(int(address.rpartition(":")[2])) for address in servers.addresses]
    slot = int(clients[0].execute_command("CLUSTER", "KEYSLOT", key))
    names = [client.execute_command("CLUSTER", "MYID") for client in clients]
    source = next(
        place for place, client in enumerate(clients) if client.execute_command("CLUSTER", "COUNTKEYSINSLOT", slot)
    )
    target = (source + 1) % 3
    clients[target].execute_command("CLUSTER", "SETSLOT", slot, "IMPORTING", names[source])
    clients[source].execute_command("CLUSTER", "SETSLOT", slot, "MIGRATING", names[target])
    port = int(servers.addresses[target].rpartition(":")[2])
    while keys := clients[source].execute_command("CLUSTER", "GETKEYSINSLOT", slot, 1):
        clients[source].execute_command("MIGRATE", "127.0.0.1", port, "", 0, 5000, "KEYS", *keys)
        time.sleep(0.02)
    for place in (target, source, 3 - target - source):
        clients[place].execute_command("CLUSTER", "SETSLOT", slot, "NODE", names[target])
    for client in clients:
        client.close()


# -- answers that do not come


def test_an_append_whose_answer_was_lost_is_stored_once(unreliable: Log, proxy: Proxy) -> None:
    request = Append(0, events(1, 3), "p", [1, 2, 3])
    unreliable.append([Append(0, events(0, 0))])
    proxy.lose(1, b"EVALSHA")

    assert unreliable.append([request])[0].known == 3
    assert proxy.lost == 1
    assert ids(unreliable.read(0, 0, 10).events) == ["e0", "e1", "e2", "e3"]


def test_an_append_without_producer_is_not_repeated_when_its_answer_was_lost(unreliable: Log, proxy: Proxy) -> None:
    unreliable.append([Append(0, events(0, 0))])
    proxy.lose(1, b"EVALSHA")

    with pytest.raises(LogUnavailable, match="may or may not have been done"):
        unreliable.append([Append(0, events(1, 1))])
    assert unreliable.tail(0) == 2


def test_a_commit_whose_answer_was_lost_is_done_and_written_once(unreliable: Log, proxy: Proxy) -> None:
    writer = Writer(unreliable)
    unreliable.position(0, "rules")
    proxy.lose(2, b"EVAL")

    assert writer.commit(put("k", b"1"), outputs=[command(1)], events=[event(1)]) is Code.DONE
    assert proxy.lost == 2
    status = unreliable.status()[0]
    assert (status.tail, status.outputs, status.positions) == (1, 1, {"rules": 1})


def test_a_connection_that_the_server_closed_costs_nothing(log: Log) -> None:
    for number in range(5):
        log.append([Append(0, [event(number)])])
        time.sleep(0.06)
        admin().execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    assert log.tail(0) == 5


def test_a_server_that_does_not_answer_is_unavailable_within_the_time_limit(tmp_path: Path) -> None:
    url = redis_url("single", tmp_path)
    log = opened(f"{url}&timeout=0.6")
    admin().execute_command("CLIENT", "PAUSE", 2000)
    began = time.monotonic()
    with pytest.raises(LogUnavailable, match="tried for"):
        log.tail(0)
    assert time.monotonic() - began < 2.5
    admin().execute_command("CLIENT", "UNPAUSE")
    assert log.tail(0) == 0
    log.close()


def test_who_waits_returns_when_the_log_is_closed(tmp_path: Path) -> None:
    for form in ("single", "cluster"):
        log = opened(redis_url(form, tmp_path))
        timer = threading.Timer(0.2, log.close)
        timer.start()
        began = time.monotonic()
        assert log.follow({0: 0, 1: 0, 2: 0}, 30) == set()
        assert time.monotonic() - began < 3
        timer.join()


def test_a_follower_in_a_cluster_waits_with_few_threads_and_loses_none(tmp_path: Path) -> None:
    log = opened(redis_url("cluster", tmp_path))
    for number in range(30):
        timer = threading.Timer(0.01, lambda number=number: log.append([Append(number % 3, [event(number)])]))
        timer.start()
        tails = {partition: (number + 2 - partition) // 3 for partition in range(3)}
        assert log.follow(tails, 30) == {number % 3}
        timer.join()
    assert sum(thread.name.startswith("follow") for thread in threading.enumerate()) <= 6
    log.close()


# -- who may


def test_a_wrong_password_names_the_server_and_never_the_password(tmp_path: Path) -> None:
    admin().acl_setuser("writer", enabled=True, passwords=["+right"], keys=["*"], commands=["+@all"])
    with pytest.raises(LogUnavailable, match="check user and password") as refused:
        open_log(f"redis://writer:zyx@{addresses('single')}", now=Clock())
    assert "zyx" not in str(refused.value)
    log = open_redis(
        parse(f"redis://writer:right@{addresses('single')}?name=t{tmp_path.name[-20:]}"), partitions=1, limits=SMALL
    )
    log.append([Append(0, events(1, 1))])
    log.close()


def test_a_right_that_is_missing_is_named_before_anything_is_written(tmp_path: Path) -> None:
    admin().acl_setuser(
        "narrow", enabled=True, nopass=True, keys=["*"], commands=["+@all", "-zadd", "-xtrim"], reset=True
    )
    with pytest.raises(LogUnavailable, match=r"user `narrow`.*ACL SETUSER narrow \+xtrim \+zadd"):
        open_redis(parse(f"redis://narrow:x@{addresses('single')}?name=narrow"), partitions=1, limits=SMALL)


def test_a_right_that_is_taken_away_later_is_unavailability(tmp_path: Path) -> None:
    admin().acl_setuser("shrinking", enabled=True, nopass=True, keys=["*"], commands=["+@all"], reset=True)
    log = open_redis(parse(f"redis://shrinking:x@{addresses('single')}?name=shrinking"), partitions=1, limits=SMALL)
    admin().acl_setuser("shrinking", commands=["-evalsha", "-eval"])
    with pytest.raises(LogUnavailable, match="`shrinking`"):
        log.append([Append(0, events(1, 1))])
    admin().acl_setuser("shrinking", commands=["+evalsha", "+eval", "-xadd"])
    with pytest.raises(LogUnavailable, match="`shrinking`"):
        log.append([Append(0, events(1, 1))])
    log.close()


def test_tls_is_spoken_and_a_certificate_that_nobody_vouches_for_is_refused(tmp_path: Path) -> None:
    servers = Servers(tmp_path / "servers", ports=2)
    port = servers.port + 1
    client = servers.client()
    client.execute_command(
        "CONFIG", "SET", "tls-cert-file", str(CERTIFICATE), "tls-key-file", str(CERTIFICATE),
        "tls-ca-cert-file", str(CERTIFICATE), "tls-auth-clients", "no", "tls-port", port,
    )  # fmt: skip
    try:
        url = f"rediss://localhost:{port}?name=log&timeout=2"
        with pytest.raises(LogUnavailable, match=r"(?i)certificate"):
            opened(url)
        log = opened(f"{url}&ca_certs={CERTIFICATE}&check_hostname=false")
        log.append([Append(0, events(1, 3))])
        assert log.tail(0) == 3
        assert log.follow({0: 0}, 5) == {0}
        log.close()
        with pytest.raises(LogUnavailable):
            opened(f"redis://127.0.0.1:{port}?timeout=1")
    finally:
        client.close()
        servers.stop()


# -- addresses


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("redis://", "is no host; write host:port"),
        ("redis://host:port", "is no host"),
        ("redis://host:70000", "70000 is no port"),
        ("redis://host,", "is no host"),
        ("redis://user@host", "a user, but no password"),
        ("redis://host/main", "`main` is no database"),
        ("redis://host#0", "%23"),
        ("redis://host?nome=x", "no option `nome`; the options are name"),
        ("redis://host?name={x}", "value of `name` is wrong; write letters"),
        ("redis://host?timeout=soon", "value of `timeout` is wrong; write a number of seconds"),
        ("redis://host?pool=0", "value of `pool`"),
        ("redis://host?ca_certs=x", "`ca_certs` needs TLS; begin the URL with rediss://"),
        ("rediss://host?check_hostname=no", "write true or false"),
        ("redis://[::1", "cannot be read"),
    ],
)
def test_a_url_that_does_not_fit_names_its_part_and_the_remedy(url: str, says: str) -> None:
    with pytest.raises(LogError) as refused:
        open_log(url, now=Clock())
    assert says in str(refused.value)


def test_all_parts_of_a_url_are_understood() -> None:
    options = parse(
        "rediss://me:p%40ss%2C@a,[::1]:7000,c:7001/3?name=x&sentinel=main&sentinel_password=s&timeout=3&pool=7"
        "&ca_certs=/ca.pem&check_hostname=false"
    )
    assert options.addresses == (Address("a", 6379), Address("::1", 7000), Address("c", 7001))
    assert str(options.addresses[1]) == "[::1]:7000"
    assert (options.username, options.password, options.database, options.name) == ("me", "p@ss,", 3, "x")
    assert (options.sentinel, options.sentinel_password, options.timeout, options.pool) == ("main", "s", 3.0, 7)
    assert (options.tls, options.ca_certs, options.check_hostname) == (True, "/ca.pem", False)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("redis://127.0.0.1:1?timeout=0.5", "cannot be reached"),
        ("redis://{single},127.0.0.1:1", "is a single server, but the URL names several"),
        ("redis://{single}?sentinel=main", "is no sentinel"),
        ("redis://{cluster}/3", "a cluster has no databases"),
        ("redis://{sentinel}?sentinel=other&timeout=0.5", "answers nothing to SENTINEL GET-MASTER-ADDR-BY-NAME other"),
    ],
)
def test_servers_that_are_not_what_the_url_says_are_refused(url: str, says: str) -> None:
    forms = {form: addresses(form) for form in ("single", "cluster", "sentinel") if f"{{{form}}}" in url}  # type: ignore[arg-type]
    with pytest.raises(LogError) as refused:
        open_log(url.format(**forms), now=Clock())
    assert says in str(refused.value)


def test_the_only_master_that_sentinels_watch_needs_no_name(tmp_path: Path) -> None:
    servers = RedisServers(parse(redis_url("sentinel", tmp_path)))
    assert servers.topology.kind == "sentinel"
    assert servers.run(0, [("PING",)], repeatable=True) == [b"PONG"]
    servers.close()


def test_a_pool_that_is_too_small_says_so(tmp_path: Path) -> None:
    log = opened(f"{redis_url('single', tmp_path)}&pool=1&timeout=0.5")
    waiting = threading.Thread(target=lambda: log.follow({0: 0}, 2))
    waiting.start()
    time.sleep(0.2)
    with pytest.raises(LogUnavailable, match="need a larger `pool`"):
        log.tail(0)
    waiting.join()
    log.close()


def test_a_connection_that_lay_unused_is_asked_first_so_that_nothing_is_in_doubt(proxy: Proxy, tmp_path: Path) -> None:
    name = redis_url("single", tmp_path).rpartition("=")[2]
    options = parse(f"redis://127.0.0.1:{proxy.port}?name={name}", RedisOptions(health_check=0.2))
    log = open_redis(options, partitions=3, limits=SMALL, clock=Clock())
    log.append([Append(0, [event(1)])])
    time.sleep(0.3)
    proxy.lose(1, b"PING")  # as where something on the way has forgotten the connection
    log.append([Append(0, [event(2)])])
    assert proxy.lost == 1
    proxy.lose(1, b"PING")
    log.append([Append(0, [event(3)])])
    assert proxy.lost == 1, "it was used a moment ago"
    assert log.tail(0) == 3
    log.close()


def test_pauses_between_attempts_are_at_most_as_long_as_the_options_say(proxy: Proxy) -> None:
    lost: list[int] = []
    for longest in (0.01, 30.0):
        servers = RedisServers(parse(f"redis://127.0.0.1:{proxy.port}?timeout=1", RedisOptions(longest_pause=longest)))
        before = proxy.lost
        proxy.lose(10_000, b"GET")
        with pytest.raises(LogUnavailable, match="tried for 1 s"):
            servers.run(0, [("GET", "nothing")], repeatable=True)
        lost.append(proxy.lost - before)
        servers.close()
    assert lost[0] > 2 * lost[1]
