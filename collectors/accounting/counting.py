"""What predictions add to the metrics, stored or sampled away, a whole batch at a time."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from collectors.labels import labels_of
from core.metrics import Metrics

_GROUP = ["namespace", "model", "version", "status"]


def count_stored(batch: pa.RecordBatch, metrics: Metrics) -> None:
    """`batch` has the schema PREDICTIONS and is in the store."""
    for namespace, model, count in _count(batch, metrics):
        metrics.stored.labels(namespace, model).inc(count)


def count_sampled(dropped: pa.RecordBatch, metrics: Metrics) -> None:
    """Rows sampled away, of which only what is counted is left: inferences all the same."""
    for _ in _count(dropped, metrics):
        pass


def count_labels(batch: pa.RecordBatch, metrics: Metrics) -> None:
    """`batch` has the schema LABELS and is in the store."""
    for line, count in labels_of(batch).items():
        metrics.labels.labels(line.namespace, line.model).inc(count)


def _count(batch: pa.RecordBatch, metrics: Metrics) -> Iterator[tuple[str, str, int]]:
    """Counts inferences and their latencies; yields (namespace, model, rows)."""
    columns = {name: batch.column(name) for name in (*_GROUP, "received", "latency")}
    grouped = pa.table(columns).group_by(_GROUP)
    found = grouped.aggregate([("latency", "list"), ("received", "max"), ("received", "count")])
    for row in range(len(found)):
        namespace, model, version, status = (found[name][row].as_py() for name in _GROUP)
        count = found["received_count"][row].as_py()
        metrics.inferences.labels(namespace, model, version, status).inc(count)
        metrics.last_received.labels(namespace, model).set(found["received_max"][row].value / 1e6)
        latencies = found["latency_list"][row].values.to_numpy()
        metrics.inference_latency.observe_many((namespace, model, version), latencies[~np.isnan(latencies)])
        yield namespace, model, count
