"""What one turn after another makes of a command, step by step."""

from __future__ import annotations

from collections.abc import Callable

from adapters.ledger import State
from adapters.retry import RetryPolicy
from adapters.turn import Bounds
from adapters.work import Outcome, Verdict
from streams.event import OURSELVES
from tests.adapters.world import DONE, FINAL, POLICY, RETRY, RETURNED, World, ids

Make = Callable[..., World]


def test_a_command_is_leased_delivered_and_told_in_the_partition_that_decided(world: World) -> None:
    world.decide("c1", hops=3)
    (work,) = world.lease()
    assert (work.id, work.attempt, work.target, work.partition) == ("c1", 1, "police", 0)
    assert work.deadline == world.clock() + 60_000_000
    assert world.state("c1") is State.IN_FLIGHT

    turn = world.turn((work, Outcome(Verdict.DONE, result={"status": 204})))

    assert [changed for _, changed in turn.answers] == [True]
    assert world.state("c1") is State.DONE
    (event,) = world.results()
    assert (event.type, event.key, event.subject, event.source) == (
        "orchestrator.command.succeeded",
        "A",
        "A",
        OURSELVES,
    )
    assert (event.hops, event.time) == (4, world.clock())
    assert event.payload() == {
        "id": "c1",
        "command": "do",
        "to": "police",
        "rule": "rule",
        "attempts": 1,
        "result": {"status": 204},
    }


def test_the_body_is_the_same_at_every_attempt_and_a_line_of_simulates_out(world: World) -> None:
    world.decide("c1")
    bodies = []
    for _ in range(2):
        (work,) = world.lease()
        bodies.append(work.body)
        world.turn((work, RETRY))
        world.clock.advance(10)
    assert bodies[0] == bodies[1]
    assert bodies[0] == (
        b'{"id":"c1","command":"do","to":"police","rule":"rule","key":"A","at":"1970-01-01T00:00:05Z",'
        b'"cause":"e1","args":{"n":"c1"}}'
    )


def test_a_turn_is_one_commit_whatever_is_in_it(world: World) -> None:
    world.decide("c1", "c2", "c3", "c4")
    world.turn()
    works = world.turn(limit=3).works
    before = world.log.commits
    world.decide("c5")
    turn = world.turn((works[0], DONE), (works[1], RETRY), (works[2], FINAL), limit=9)
    assert world.log.commits == before + 1
    assert ids(turn.works) == ["c4", "c5"]
    assert world.told() == [("succeeded", "c1"), ("parked", "c3")]


def test_a_turn_without_anything_to_say_commits_nothing(world: World) -> None:
    world.turn()
    world.turn(limit=5)
    assert world.log.commits == 0


def test_commands_are_sent_in_the_order_of_decision(world: World) -> None:
    names = [f"c{number}" for number in reversed(range(20))]
    world.decide(*names[:12])
    world.decide(*names[12:])
    while world.turn().more:
        world.clock.advance(0.001)
    assert ids(world.lease()) == names


def test_a_command_decided_again_is_the_same_command(world: World) -> None:
    world.decide("c1")
    (work,) = world.lease()
    world.turn((work, DONE))
    world.decide("c1", "c2", "c2")
    assert ids(world.lease()) == ["c2"]
    assert world.told() == [("succeeded", "c1")]


def test_commands_of_shadow_rules_are_recorded_and_never_sent(world: World) -> None:
    world.decide("c1", shadow=True)
    assert world.lease() == []
    assert world.state("c1") is State.SHADOW
    assert world.told() == []


def test_a_command_for_a_target_that_is_gone_is_parked_with_the_remedy(make_world: Make) -> None:
    world = make_world()
    world.decide("c1", to="nobody")
    world.decide("c2", to="bank")
    world.turn()
    world.targets = {"police": POLICY}
    world.restart()
    world.turn()
    for name, target in (("c1", "nobody"), ("c2", "bank")):
        assert world.state(name) is State.PARKED
        assert f"no target `{target}`: declare it in the targets file" in world.entry(name).last_error
    world.ask("redrive", "c2")
    world.turn()
    assert world.state("c2") is State.PARKED
    world.targets = {"bank": POLICY}
    world.restart()
    world.ask("redrive", "c2")
    assert ids(world.lease(to="bank")) == ["c2"]


def test_what_fails_waits_with_full_jitter_and_not_below_retry_after(make_world: Make) -> None:
    drawn = iter([0.25, 0.25, 0.25])
    world = make_world(chance=lambda: next(drawn))
    world.decide("c1")
    for attempt, (outcome, wait) in enumerate(
        [(RETRY, 0.25), (RETRY, 0.5), (Outcome(Verdict.RETRY, "later", retry_after=30.0), 30.0)], 1
    ):
        (work,) = world.lease()
        assert work.attempt == attempt
        turn = world.turn((work, outcome))
        assert world.state("c1") is State.RETRYING
        assert turn.next_at == world.entry("c1").due == world.clock() + int(wait * 1e6)
        world.clock.advance(wait - 0.001)
        assert world.lease() == []
        world.clock.advance(0.001)


def test_after_its_attempts_it_is_parked_with_the_last_reason(world: World) -> None:
    world.decide("c1")
    for _ in range(POLICY.attempts):
        assert world.state("c1") is not State.PARKED if world.entries() else True
        (work,) = world.lease()
        world.turn((work, RETRY))
        world.clock.advance(60)
    assert world.lease() == []
    assert world.state("c1") is State.PARKED
    (event,) = world.results()
    assert event.type == "orchestrator.command.parked"
    assert (event.payload()["attempts"], event.payload()["reason"]) == (4, "gave up after 4 attempts; the last: busy")


def test_after_its_time_it_is_parked_though_attempts_are_left(make_world: Make) -> None:
    world = make_world(targets={"police": RetryPolicy(attempts=1_000, elapsed=86_400.0)})
    world.decide("c1")
    began = world.clock()
    while world.state("c1") is not State.PARKED if world.entries() else True:
        (work,) = world.lease()
        world.turn((work, Outcome(Verdict.RETRY, "busy", retry_after=7_200.0)))
        world.clock.advance(7_200)
    assert world.entry("c1").attempts == 13  # at 0, 2, … 24 h
    assert world.entry("c1").last_attempt - began == 86_400_000_000
    assert "the next attempt would come later than 86,400 s" in world.entry("c1").last_error


def test_a_lease_that_runs_out_counts_as_an_attempt_and_in_the_end_it_is_parked(world: World) -> None:
    world.decide("c1")
    for attempt in range(1, POLICY.attempts + 1):
        (work,) = world.lease(ttl=5.0)
        assert work.attempt == attempt
        world.clock.advance(4.999)
        assert world.lease() == []
        world.clock.advance(0.001)
        turn = world.turn()
        assert turn.counts.get("lease_expired|police") == 1
        world.clock.advance(60)
    assert world.lease() == []
    assert "its lease ran out" in world.entry("c1").last_error
    assert world.told() == [("parked", "c1")]


def test_the_answer_to_a_lease_that_ran_out_changes_nothing_unless_it_was_done(world: World) -> None:
    world.decide("c1", "c2")
    first, second = world.lease(ttl=5.0)
    world.clock.advance(5)
    world.turn()
    assert [changed for _, changed in world.turn((first, FINAL), (first, RETURNED), (first, RETRY)).answers] == [
        False
    ] * 3
    assert world.state("c1") is State.RETRYING
    assert [changed for _, changed in world.turn((second, DONE)).answers] == [True]
    assert world.state("c2") is State.DONE


def test_what_is_done_stays_done_whoever_says_otherwise(world: World) -> None:
    world.decide("c1")
    (work,) = world.lease()
    answers = world.turn((work, DONE), (work, FINAL), (work, DONE)).answers
    assert [changed for _, changed in answers] == [True, False, False]
    assert world.told() == [("succeeded", "c1")]


def test_what_is_given_back_untried_counts_no_attempt_and_is_ready_at_once(world: World) -> None:
    world.decide("c1")
    for _ in range(10):
        (work,) = world.lease()
        assert work.attempt == 1
        world.turn((work, RETURNED))
        assert (world.state("c1"), world.entry("c1").attempts) == (State.PENDING, 0)
        world.clock.advance(1)


def test_a_lease_given_after_one_was_given_back_runs_its_own_time(world: World) -> None:
    world.decide("c1")
    (first,) = world.lease(ttl=10.0)
    world.clock.advance(9)
    world.turn((first, RETURNED))
    (second,) = world.lease(ttl=10.0)
    world.clock.advance(2)  # the first would be over
    turn = world.turn((first, RETRY))  # and its worker speaks up again
    assert ("lease_expired|police" in turn.counts, [changed for _, changed in turn.answers]) == (False, [False])
    assert world.turn().next_at == second.deadline
    assert [changed for _, changed in world.turn((second, DONE)).answers] == [True]


def test_many_leases_that_are_over_do_not_hide_one_that_runs_out(make_world: Make) -> None:
    world = make_world(bounds=Bounds())
    world.decide("slow", to="bank")
    (slow,) = world.lease(to="bank", ttl=1_800.0)
    world.decide(*[f"c{number}" for number in range(300)])
    for _ in range(5):
        works = world.lease(300, ttl=7_200.0)
        assert len(works) == 300
        world.turn(*[(work, RETURNED) for work in works])
        world.clock.advance(0.1)
    assert world.turn().next_at == slow.deadline
    world.clock.now = slow.deadline
    assert world.turn().counts == {"lease_expired|bank": 1, "retried|bank": 1}


def test_results_and_reasons_are_cut_to_what_an_event_may_hold(world: World) -> None:
    world.decide("c1", "c2", "c3", "c4")
    first, second, third, fourth = world.lease()
    world.turn(
        (first, Outcome(Verdict.DONE, result="x" * 70_000)),
        (second, Outcome(Verdict.DONE, result=object())),
        (third, Outcome(Verdict.FINAL, "\ud800" + "y" * 5_000)),
        (fourth, Outcome(Verdict.DONE, result={"big": 2**70})),
    )
    found = {event.payload()["id"]: event.payload() for event in world.results()}
    assert "70,002 bytes" in found["c1"]["result"]["unreadable"]
    assert "no JSON" in found["c2"]["result"]["unreadable"]
    assert found["c3"]["reason"] == "?" + "y" * 999
    assert found["c4"]["result"] == {"big": 2**70}
