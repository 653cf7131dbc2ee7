"""What the console remembers: bounded, honest about what it does not know, and right about what it does."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Histogram

from orchestrator.console.latency import buckets, quantile
from orchestrator.console.lines import Series, chart
from orchestrator.console.recent import COUNTS, POINTS, Recent
from streams.backends.open import open_log
from streams.log import PartitionStatus
from streams.owned import PartitionView
from streams.worker import RULES


class Told:
    """A memory whose clock and looks a test gives."""

    def __init__(self) -> None:
        self.at = 1000.0
        self.counts: dict[str, int] = {}
        self.commits = Histogram("c", "", ["processor"], registry=CollectorRegistry(), buckets=(0.001, 0.01, 0.1))
        self.recent = Recent(
            open_log("memory://", partitions=2, now=lambda: 0),
            lambda: [PartitionView(0, "running", "", 0, 0, 0, dict(self.counts), {})],
            self.commits,
            now=lambda: int(self.at * 1e6),
            monotonic=lambda: self.at,
        )

    def look(self, *partitions: tuple[int, int], after: float = 2.0) -> None:
        """(tail, position) of each."""
        self.at += after
        self.recent.look(
            [
                PartitionStatus(number, "me", 1, tail, 0, {RULES: position}, 0)
                for number, (tail, position) in enumerate(partitions)
            ]
        )


def test_nothing_is_known_before_the_second_look() -> None:
    told = Told()
    told.look((10, 5), (0, 0))
    recent = told.recent
    assert recent.rates() is None
    assert recent.rate(0) is None
    assert recent.trend(0, 5) is None
    assert recent.trend(None, 5) is None
    assert recent.drained_in(5) is None
    assert recent.commit_seconds(0.5) is None
    assert recent.counted_before() is None


def test_rates_and_trends_speak_of_the_last_ten_seconds() -> None:
    told = Told()
    for number in range(20):
        told.look((100 * number, 50 * number), (7, 7))
    recent = told.recent
    assert recent.rate(0) == 25
    assert recent.rate(1) == 0
    assert recent.rates() == (50, 25)
    assert recent.trend(0, 950) == 250
    assert recent.trend(1, 0) == 0
    assert recent.trend(None, 950) == 250
    assert recent.drained_in(950) is None  # it grows


def test_what_waits_is_done_in_about_so_long_while_it_gets_less() -> None:
    told = Told()
    for number in range(10):
        told.look((1000, 50 * number), (0, 0))
    assert told.recent.drained_in(550) == 550 / 25
    assert told.recent.drained_in(0) is None


def test_a_partition_that_was_not_there_has_no_trend() -> None:
    told = Told()
    told.look((10, 10))
    told.look((10, 10), (5, 0))
    assert told.recent.trend(1, 5) is None
    assert told.recent.rate(1) is None


def test_a_log_that_does_not_answer_leaves_a_gap_and_no_rates() -> None:
    told = Told()
    told.look((10, 10))
    told.look((30, 10), after=20)
    told.recent.gap()
    told.recent.gap()
    assert told.recent.rates() is None
    assert [point.lag for point in told.recent.points] == [0, 20, None]
    told.look((30, 30), after=20)
    assert told.recent.points[-1].lag == 0
    assert told.recent.points[-1].arrived is None


def test_memory_is_bounded() -> None:
    told = Told()
    for number in range(3_000):
        told.look((number, number), after=10)
    assert len(told.recent.points) == POINTS
    before = told.recent.counted_before()
    assert before is not None
    assert before[1] <= COUNTS * 30


def test_counts_of_rules_do_not_go_back_when_a_partition_begins_anew() -> None:
    told = Told()
    told.counts = {"fired|big": 7}
    told.look((0, 0))
    told.counts = {"fired|big": 2}
    told.look((0, 0))
    assert told.recent.counts() == {"fired|big": 9}
    before = told.recent.counted_before()
    assert before is not None
    assert before[0] == {"fired|big": 7}


def test_latency_is_that_of_the_commits_since() -> None:
    told = Told()
    rules = told.commits.labels(RULES)
    for _ in range(1000):
        rules.observe(0.05)
    told.look((0, 0))
    assert told.recent.commit_seconds(0.5) is None
    for _ in range(100):
        rules.observe(0.0005)
    told.look((0, 0))
    half = told.recent.commit_seconds(0.5)
    assert half is not None
    assert 0 < half <= 0.001


def test_quantiles_lie_where_the_observations_do() -> None:
    histogram = Histogram("q", "", ["processor"], registry=CollectorRegistry(), buckets=(1, 2, 4))
    assert buckets(histogram, RULES) == ()
    assert quantile(0.5, (), ()) is None
    for value in (0.5, 1.5, 1.5, 3.0, 9.0):
        histogram.labels(RULES).observe(value)
    now = buckets(histogram, RULES)
    assert quantile(0.2, (), now) == 1
    assert quantile(0.6, (), now) == 2
    assert quantile(0.8, (), now) == 4
    assert quantile(1.0, (), now) == 4  # beyond the last bound nothing is known but that
    assert quantile(0.5, now, now) is None


def test_a_chart_without_scripts_shows_each_stretch_between_gaps() -> None:
    drawn = chart([0, 10, 20, 30], [Series("lag", [1, None, 2, 4]), Series("none", [None] * 4)])
    assert drawn.count("<polyline") == 2
    assert "NaN" not in chart([], [Series("lag", [])])
    assert chart([5], [Series("lag", [0])]).count("<polyline") == 1
