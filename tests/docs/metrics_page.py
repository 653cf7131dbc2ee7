"""Writes docs/metrics.md from the list of metrics: `python -m tests.docs.metrics_page`."""

from orchestrator.measures import MEASURES, OF_PODS, SECONDS, Measure
from tests.docs.pages import ROOT

PAGE = ROOT / "docs/metrics.md"

HEAD = """# Metrics

Prometheus text on `METRICS_PORT`, 9090 unless another is set. Written from
[the list in the code](../orchestrator/measures.py).

```yaml title="rules.yaml"
ruleset: shop
rules:
  big:
    on: order.placed
    when: event.data.total > 100
    then: [{command: look-at, to: log, args: {order: "${key}"}}]
```

```console
$ orchestrator dev 2>dev.log &
ready: http http://127.0.0.1:8000, metrics http://127.0.0.1:9090/metrics
$ curl -s http://127.0.0.1:8000/v1/events -H 'Content-Type: application/json' \\
    -d '{"id": "1", "source": "shop", "type": "order.placed", "subject": "A1", "data": {"total": 250}}'
{"accepted":1,"positions":["1.1.2"]}
$ curl -s http://127.0.0.1:9090/metrics | grep firings_total{
orchestrator_rule_firings_total{rule="big"} 1.0
$ curl -s http://127.0.0.1:9090/metrics | grep http_requests_total{
orchestrator_http_requests_total{method="POST",route="/v1/events",status="202"} 1.0
```

Counters begin at zero when the process, or the owner of a partition, does. Labels are bounded by the rule set, the
targets file, the partitions and the routes: no key, id, type or path from outside is one, so nobody can make series by
sending events. There are no exemplars. Of several workers (`WORKERS`) the parent answers for all: counters and
histograms are summed, and keep what workers counted that have ended; what a gauge means then is in the table.

| metric | type | labels | unit | of several workers | meaning |
|---|---|---|---|---|---|
"""

PODS = """
`orchestrator worker` has `orchestrator_errors_total`, `orchestrator_delivery_attempt_seconds`,
`orchestrator_build_info`, those of the process, and:

| metric | type | labels | unit | meaning |
|---|---|---|---|---|
"""

TAIL = """
Buckets of times, seconds: {buckets}.

## What to watch

| question | expression |
|---|---|
| does anything fail? the guide's `HighErrorRate` | `rate(orchestrator_errors_total[5m]) > 0.1` |
| does it answer? the guide's `FrameworkDown` | `up{{job="orchestrator"}} == 0`, and `orchestrator_log_up == 0` |
| does something stand still? | `orchestrator_partition_stalled == 1` |
| does it keep up? | `sum(orchestrator_partition_lag_events)`, `max(orchestrator_query_lag_events)` |
| how soon is it decided? | `histogram_quantile(0.99, rate(orchestrator_decision_seconds_bucket[5m]))` |
| does something wait for people? | `orchestrator_parked_commands > 0`, `sum(orchestrator_blocked_keys) > 0` |
| how do targets do? | `rate(orchestrator_delivery_attempt_seconds_count{{verdict!="done"}}[5m])`, by `target` |
| what waits for which target? | `max by (target, state) (orchestrator_target_commands)` |
| which rules cannot be evaluated? | `rate(orchestrator_rule_not_evaluated_total[5m])`, by `rule` |
| the guide's autoscaling | `rule_evaluation_rate`; its target: [differences](operators-guide-differences.md) |
"""
_TOGETHER = {sum: "the sum", max: "the largest", min: "the smallest"}


def page() -> str:
    buckets = ", ".join(f"{each:g}" for each in SECONDS)
    return HEAD + "".join(map(_row, MEASURES)) + PODS + "".join(map(_pod_row, OF_PODS)) + TAIL.format(buckets=buckets)


def _pod_row(measure: Measure) -> str:
    return f"| `{measure.name}` | {measure.kind} | {_labels(measure)} | {measure.unit} | {measure.meaning} |\n"


def _labels(measure: Measure) -> str:
    return ", ".join(f"`{label}`" for label in measure.labels) or "-"


def _row(measure: Measure) -> str:
    together = "of the parent only" if measure.of_parent else _TOGETHER[measure.together]  # type: ignore[index]
    cells = [f"`{measure.name}`", measure.kind, _labels(measure), measure.unit, together, measure.meaning]
    return f"| {' | '.join(cells)} |\n"


if __name__ == "__main__":
    PAGE.write_text(page())
