"""Leases: one living owner a partition, epochs that only grow."""

from __future__ import annotations

import pytest

from streams.log import AGENT, DELIVERY, IMPORT, Code, Commit, Lease, Log, Role
from tests.conformance.backends import Clock, Writer, owned, put


def test_a_free_partition_is_acquired_with_a_new_epoch(log: Log) -> None:
    assert log.acquire(0, "a", 10) == Lease(0, "a", 1)
    assert log.acquire(1, "a", 10) == Lease(1, "a", 1)


def test_a_living_owner_keeps_its_partition(log: Log, clock: Clock) -> None:
    owned(log, 0, "a", ttl=10)
    clock.advance(9.9)

    assert log.acquire(0, "b", 10) is None
    assert log.status()[0].owner == "a"


def test_an_expired_lease_goes_to_whoever_asks(log: Log, clock: Clock) -> None:
    stale = owned(log, 0, "a", ttl=10)
    clock.advance(10.1)

    assert log.status()[0].owner is None
    assert log.acquire(0, "b", 10) == Lease(0, "b", 2)
    assert not log.renew(stale, 10)


def test_an_owner_that_asks_again_gets_a_new_epoch_and_fences_its_old_self(log: Log) -> None:
    old = owned(log, 0, "a")
    new = owned(log, 0, "a")

    assert new.epoch == old.epoch + 1
    assert log.commit(Commit(old, "rules", 0, 1)) is Code.FENCED
    assert log.commit(Commit(new, "rules", 0, 1)) is Code.COMMITTED


def test_renewing_moves_the_end_of_a_lease(log: Log, clock: Clock) -> None:
    lease = owned(log, 0, "a", ttl=10)
    for _ in range(3):
        clock.advance(8)
        assert log.renew(lease, 10)

    assert log.acquire(0, "b", 10) is None


def test_a_commit_renews_the_lease(log: Log, clock: Clock) -> None:
    writer = Writer(log, owner="a")
    for _ in range(3):
        clock.advance(8)
        assert writer.commit() is Code.COMMITTED

    assert log.acquire(0, "b", 10) is None


def test_an_expired_lease_that_nobody_took_still_commits(log: Log, clock: Clock) -> None:
    writer = Writer(log, owner="a")
    clock.advance(100)

    assert writer.commit() is Code.COMMITTED


def test_release_frees_the_partition_and_keeps_the_epoch(log: Log) -> None:
    lease = owned(log, 0, "a")
    log.release(lease)

    assert log.status()[0].owner is None
    assert log.status()[0].epoch == 1
    assert log.acquire(0, "b", 10) == Lease(0, "b", 2)


def test_a_released_lease_commits_and_renews_nothing(log: Log) -> None:
    writer = Writer(log, owner="a")
    log.release(writer.lease)

    assert writer.commit(put("k", b"v")) is Code.FENCED
    assert not log.renew(writer.lease, 10)
    assert log.rows(0, "rules", ["k"]) == {}


def test_releasing_what_is_no_longer_held_does_nothing(log: Log, clock: Clock) -> None:
    stale = owned(log, 0, "a")
    clock.advance(11)
    owned(log, 0, "b")

    log.release(stale)

    assert log.status()[0].owner == "b"


def test_evaluating_and_delivering_are_two_rights(log: Log) -> None:
    agent, delivery = owned(log, 0, "a"), owned(log, 0, "b", role=DELIVERY)

    assert delivery == Lease(0, "b", 1, DELIVERY)
    assert (log.status()[0].owner, log.status()[0].epoch, log.status()[0].deliverer) == ("a", 1, "b")
    assert log.acquire(0, "c", 10, DELIVERY) is None
    assert log.commit(Commit(delivery, "delivery", 0, 1)) is Code.COMMITTED
    owned(log, 0, "a")
    assert log.commit(Commit(agent, "rules", 0, 1)) is Code.FENCED
    assert log.commit(Commit(delivery, "delivery", 1, 2)) is Code.COMMITTED
    log.release(delivery)
    assert (log.status()[0].owner, log.status()[0].deliverer) == ("a", None)


def test_who_imports_holds_a_right_of_its_own(log: Log, clock: Clock) -> None:
    owned(log, 0, "a")
    ours = owned(log, 0, "b", role=IMPORT)
    assert log.commit(Commit(ours, "import", 0, 1, [put("row", b"1")])) is Code.COMMITTED
    assert log.rows(0, "import", ["row"]) == {"row": b"1"}
    clock.advance(9)
    assert log.renew(ours, 10)
    clock.advance(9)
    assert log.acquire(0, "c", 10, IMPORT) is None
    again = owned(log, 0, "b", role=IMPORT)
    assert (again.epoch, log.renew(ours, 10)) == (2, False)
    assert log.commit(Commit(ours, "import", 1, 2)) is Code.FENCED
    assert log.commit(Commit(again, "import", 1, 2)) is Code.COMMITTED
    assert (log.status()[0].owner, log.status()[0].deliverer) == (None, None)
    assert log.status()[0].positions == {"import": 2}


@pytest.mark.parametrize(
    ("processor", "role"),
    [("rules", DELIVERY), ("forward", DELIVERY), ("delivery", AGENT), ("rules", IMPORT), ("import", AGENT)],
)
def test_a_commit_in_another_role_is_refused(log: Log, processor: str, role: Role) -> None:
    with pytest.raises(ValueError, match="commits as"):
        log.commit(Commit(owned(log, role=role), processor, 0, 1))


def test_members_are_seen_until_they_leave_or_are_silent_for_too_long(log: Log, clock: Clock) -> None:
    assert log.beat("b", AGENT, {}, ttl=10).members == ["b"]
    assert log.beat("a", AGENT, {}, ttl=5).members == ["a", "b"]
    assert log.beat("c", DELIVERY, {}, ttl=10).members == ["c"]
    clock.advance(6)
    assert log.beat("c", AGENT, {}, ttl=10).members == ["b", "c"]
    log.leave("b", AGENT)
    log.leave("c", DELIVERY)
    assert log.beat("c", AGENT, {}, ttl=10).members == ["c"]
    assert log.beat("d", DELIVERY, {}, ttl=10).members == ["d"]
    assert log.beat("", DELIVERY, {}, ttl=10).members == ["d"]


def test_members_tell_each_other_how_far_their_partitions_are_and_that_only_grows(log: Log) -> None:
    assert log.beat("a", AGENT, {0: 100, 2: 50}, ttl=10).caught_up == {0: 100, 2: 50}
    assert log.beat("b", AGENT, {1: 70, 2: 40}, ttl=10).caught_up == {0: 100, 1: 70, 2: 50}
    log.leave("a", AGENT)
    assert log.beat("b", AGENT, {2: 60}, ttl=10).caught_up == {0: 100, 1: 70, 2: 60}


def test_the_clock_of_the_log_is_handed_on(log: Log, clock: Clock) -> None:
    before = log.now()
    clock.advance(3)
    assert log.now() == before + 3_000_000


def test_two_processes_do_not_own_one_partition(persistent, opened) -> None:
    ours, theirs = opened(), opened()
    owned(ours, 0, "a")

    assert theirs.acquire(0, "b", 10) is None
    assert theirs.acquire(1, "b", 10) is not None
    assert ours.acquire(1, "a", 10) is None


def test_a_partition_of_a_process_that_closed_its_log_is_free_at_once(persistent, opened) -> None:
    ours, theirs = opened(), opened()
    owned(ours, 0, "a", ttl=1000)
    ours.close()

    assert theirs.acquire(0, "b", 10) is not None


def test_a_successor_in_another_process_sees_everything_and_fences_the_stale_owner(persistent, opened, clock) -> None:
    ours, theirs = opened(), opened()
    stale = Writer(ours, owner="a")
    for number in range(20):
        stale.commit(put(f"k{number % 11}", b"old%d" % number, due=number))
    clock.advance(11)

    writer = Writer(theirs, owner="b")
    assert writer.position == 20
    before = theirs.scan(0, "rules", "", "", 100)
    assert before == sorted((f"k{n % 11}", b"old%d" % n) for n in range(9, 20))

    for number in range(20):
        writer.commit(put(f"k{number % 7}", b"new%d" % number))
        assert stale.commit(put("k0", b"stale")) is Code.FENCED
    after = dict(theirs.scan(0, "rules", "", "", 100))
    assert after["k0"] == b"new14"
    assert dict(ours.scan(0, "rules", "", "", 100)) == after

    clock.advance(11)
    again = Writer(ours, owner="a")
    assert again.position == 40
    assert dict(ours.scan(0, "rules", "", "", 100)) == after
    assert ours.due(0, "rules", (0, ""), 100) == [(9, "k9"), (10, "k10"), (18, "k7"), (19, "k8")]
    assert again.commit(put("k0", b"again")) is Code.COMMITTED
    assert writer.commit() is Code.FENCED
