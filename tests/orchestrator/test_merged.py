"""Metrics of several processes as those of one: sums that never go back, and what gauges mean together."""

from collections.abc import Iterator, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from orchestrator.growing import Growing
from orchestrator.merged import Merged
from orchestrator.metrics import Metrics


def values(families: list[Metric]) -> dict[str, float]:
    return {
        sample.name + "".join(f"|{value}" for value in sample.labels.values()): sample.value
        for family in families
        for sample in family.samples
    }


def text(**counts: float) -> str:
    registry = CollectorRegistry()
    for name, count in counts.items():
        Counter(name, "A count.", registry=registry).inc(count)
    return generate_latest(registry).decode()


def gauges(given: Mapping[str, Mapping[str, float]]) -> str:
    registry = CollectorRegistry()
    for name, by_partition in given.items():
        gauge = Gauge(name, "A gauge.", ["partition"], registry=registry)
        for partition, value in by_partition.items():
            gauge.labels(partition).set(value)
    return generate_latest(registry).decode()


def test_counters_are_summed_and_keep_what_ended_processes_had_counted() -> None:
    merged = Merged()
    assert values(merged.merge({1: text(events=5), 2: text(events=7)}))["events_total"] == 12
    merged.ended(1)
    assert values(merged.merge({2: text(events=8)}))["events_total"] == 13
    assert values(merged.merge({1: text(events=9), 2: text(events=8)}))["events_total"] == 22


def test_who_gives_no_answer_keeps_its_counts_and_has_no_gauges() -> None:
    merged = Merged()
    merged.merge({1: text(events=5) + gauges({"load": {"0": 1}})})
    found = values(merged.merge({}))
    assert found == {"events_total": 5}


def test_a_gauge_means_what_the_table_says() -> None:
    one = {
        "orchestrator_partition_running": {"0": 1, "1": 0},
        "orchestrator_log_up": {"": 1},
        "rule_evaluation_rate": {"": 100},
        "orchestrator_blocked_keys": {"0": 3, "1": 0},
    }
    two = {
        "orchestrator_partition_running": {"0": 0, "1": 1},
        "orchestrator_log_up": {"": 0},
        "rule_evaluation_rate": {"": 50},
        "orchestrator_blocked_keys": {"0": 0, "1": 4},
    }
    assert values(Merged().merge({1: gauges(one), 2: gauges(two)})) == {
        "orchestrator_partition_running|0": 1,
        "orchestrator_partition_running|1": 1,
        "orchestrator_log_up|": 0,
        "rule_evaluation_rate|": 150,
        "orchestrator_blocked_keys|0": 3,
        "orchestrator_blocked_keys|1": 4,
    }


def test_memory_and_files_of_workers_are_theirs_together_and_the_oldest_start_is_the_start() -> None:
    def process(memory: float, start: float, most: float) -> str:
        registry = CollectorRegistry()
        for name, value in {
            "process_resident_memory_bytes": memory,
            "process_open_fds": memory / 10,
            "process_start_time_seconds": start,
            "process_max_fds": most,
        }.items():
            Gauge(name, "A gauge.", registry=registry).set(value)
        return generate_latest(registry).decode()

    assert values(Merged().merge({1: process(100, 7, 1024), 2: process(200, 9, 512)})) == {
        "process_resident_memory_bytes": 300,
        "process_open_fds": 30,
        "process_start_time_seconds": 7,
        "process_max_fds": 512,
    }


def test_requests_that_several_workers_answered_are_summed_by_route_and_status() -> None:
    def worker(*answers: tuple[str, int, float]) -> str:
        metrics = Metrics()
        for route, status, seconds in answers:
            metrics.requests.answered("GET", route, status, seconds)

        class Only(Collector):
            def collect(self) -> Iterator[Metric]:
                return metrics.requests.families()

        registry = CollectorRegistry()
        registry.register(Only())
        return generate_latest(registry).decode()

    found = values(
        Merged().merge(
            {
                1: worker(("/health", 200, 0.001), ("/health", 503, 0.2)),
                2: worker(("/health", 200, 7.0), ("/ready", 200, 0.1)),
            }
        )
    )
    assert found["orchestrator_http_requests_total|GET|/health|200"] == 2
    assert found["orchestrator_http_requests_total|GET|/health|503"] == 1
    assert found["orchestrator_http_request_seconds_count|GET|/health"] == 3
    assert found["orchestrator_http_request_seconds_bucket|0.001|GET|/health"] == 1
    assert found["orchestrator_http_request_seconds_bucket|2.5|GET|/health"] == 2
    assert found["orchestrator_http_request_seconds_bucket|+Inf|GET|/health"] == 3
    assert found["orchestrator_http_request_seconds_sum|GET|/ready"] == pytest.approx(0.1)


def test_buckets_stay_in_order_and_what_is_merged_can_be_read_again() -> None:
    def process(*seconds: float) -> str:
        registry = CollectorRegistry()
        histogram = Histogram("took", "Time.", ["processor"], registry=registry, buckets=(0.1, 2.5, 10.0))
        for each in seconds:
            histogram.labels("rules").observe(each)
            histogram.labels("delivery").observe(each)
        return generate_latest(registry).decode()

    merged = Merged()
    merged.merge({1: process(0.05, 3.0)})
    merged.ended(1)
    families = merged.merge({1: process(20.0), 2: process(0.05)})
    (family,) = families
    assert [(each.name, each.labels["processor"], each.labels.get("le"), each.value) for each in family.samples] == [
        ("took_bucket", processor, le, value)
        if le
        else (f"took_{'count' if value == 4 else 'sum'}", processor, None, value)
        for processor in ("delivery", "rules")
        for le, value in (("0.1", 2), ("2.5", 2), ("10.0", 3), ("+Inf", 4), (None, 4), (None, pytest.approx(23.1)))
    ]


@given(
    st.lists(
        st.tuples(
            st.integers(0, 3), st.one_of(st.just("begins anew"), st.just("ends"), st.integers(1, 10), st.just("seen"))
        )
    )
)
def test_a_sum_never_goes_back_and_loses_only_what_nobody_had_seen(steps: list[tuple[int, str | int]]) -> None:
    growing: Growing[int, str] = Growing()
    now = dict.fromkeys(range(4), 0)
    seen = dict(now)
    certain, before = 0, 0.0
    for source, step in steps:
        if isinstance(step, int):
            now[source] += step
        elif step == "seen":
            growing.seen(source, {"events": now[source]})
            seen[source] = now[source]
        else:
            certain += seen[source]
            now[source] = seen[source] = 0
            if step == "ends":
                growing.ended(source)
            else:
                growing.seen(source, {"events": 0})
        total = growing.total().get("events", 0)
        assert total >= before
        assert total == certain + sum(seen.values())
        before = total
