"""Every metric Tidemark exports: its name, unit, labels and what a rise means."""

from collections.abc import Iterator

import numpy as np
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics
from prometheus_client.core import HistogramMetricFamily

from core.distribution import Floats

LATENCY_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
LOGGED_BUCKETS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)

_MODEL = ("namespace", "model")
_MONITOR = (*_MODEL, "monitor")
_FINDING = (*_MODEL, "version", "monitor", "step", "field", "segment")

# A second series for every counter, which nobody asks for.
disable_created_metrics()  # type: ignore[no-untyped-call]


class Metrics:
    """One set of metrics in one registry; the application makes one, a test makes its own."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry or CollectorRegistry()
        self._declare_delivery()
        self._declare_log()
        self._declare_models()
        self._declare_findings()

    def _declare_delivery(self) -> None:
        counter, gauge = self._counter, self._gauge
        self.events = counter(
            "tidemark_events_total",
            "Events a tap received, by what became of them: accepted, rejected (4xx), shed (429/503), error.",
            "tap",
            "outcome",
        )
        self.refused_calls = counter(
            "tidemark_refused_calls_total",
            "Calls answered before a tap or the API saw them: without or with a wrong token or scope, in a namespace"
            " that is not theirs, over limits.concurrent_requests, or with a body slower than limits.body_seconds.",
            "reason",
        )
        self.stored = counter("tidemark_predictions_stored_total", "Predictions written to the store.", *_MODEL)
        self.duplicates = counter("tidemark_duplicates_total", "Predictions sent again with the same content.", *_MODEL)
        self.conflicts = counter(
            "tidemark_conflicts_total", "Predictions sent again with other content; both are kept.", *_MODEL
        )
        self.labels = counter(
            "tidemark_labels_stored_total",
            "Labels written to the store, revisions included; model '*' for those that do not say which they are of.",
            *_MODEL,
        )
        self.dead_letters = counter("tidemark_dead_letters_total", "Payloads that could not be read.", "reason")
        self.lag = gauge(
            "tidemark_ingest_lag_seconds",
            "Age of the oldest prediction accepted and not yet stored; rises when the store is slow.",
        )
        self.waiting_halves = gauge(
            "tidemark_waiting_halves",
            "Requests or responses that this collector took and whose other half it has not seen, in memory or in the"
            " store; after pairing.orphan_after each is an orphan, or was paired elsewhere.",
        )
        self.orphans = counter(
            "tidemark_orphans_total",
            "Requests or responses without their other half after pairing.orphan_after; KServe logs no failed answers,"
            " so a rise means failing inferences, or a sender that loses events.",
            *_MODEL,
        )
        self.last_received = gauge("tidemark_last_received_timestamp_seconds", "When a prediction last came.", *_MODEL)

    def _declare_log(self) -> None:
        gauge = self._gauge
        self.logged_after = Histogram(
            "tidemark_tap_logged_seconds",
            "From the end of a proxied answer until its inference is in the log: what a kill can cost.",
            ["tap"],
            registry=self.registry,
            buckets=LOGGED_BUCKETS,
        )
        self.ledger_difference = gauge(
            "tidemark_ledger_difference",
            "Events or rows that were received and are neither stored nor accounted for; not 0 = lost or doubled.",
            "unit",
        )
        self.log_bytes = gauge(
            "tidemark_log_bytes",
            "What the write-ahead log takes on disk; rises while the store is away, up to its limit, then events are"
            " shed. Up to one segment of it may be stored already.",
        )
        self.log_limit_bytes = gauge(
            "tidemark_log_limit_bytes", "What the write-ahead log may take on disk: wal.bytes. It never changes."
        )
        self.log_damaged_bytes = gauge(
            "tidemark_log_damaged_bytes",
            "Bytes of the write-ahead log that cannot be read and are in its quarantine; a rise means a failing disk.",
        )

    def _declare_models(self) -> None:
        self.inferences = self._counter(
            "tidemark_inference_total",
            "Predictions stored, by the status of their answer; 0 = none came; coming late it is counted again.",
            *_MODEL,
            "version",
            "status",
        )
        self.inference_latency = LatencyHistogram(
            "tidemark_inference_latency_seconds", "How long the model took to answer, as the tap saw it."
        )
        self.registry.register(self.inference_latency)

    def _declare_findings(self) -> None:
        """One family for every step, so that a new detector needs no new panel or rule."""
        counter, gauge = self._counter, self._gauge
        self.score = gauge("tidemark_score", "A step's statistic over its newest window.", *_FINDING)
        self.threshold = gauge("tidemark_threshold", "The score above which the step fires.", *_FINDING)
        self.fired = gauge("tidemark_fired", "1 when the step fired on its newest window.", *_FINDING)
        self.alarms = counter("tidemark_alarms_total", "Times a monitor went from no field fired to any.", *_MONITOR)
        self.runs = counter(
            "tidemark_runs_total", "Windows a monitor has gone through, by status: done or failed.", *_MONITOR, "status"
        )
        self.profiled_cells = counter(
            "tidemark_profiled_cells_total", "Values of predictions that states of profiles were made of."
        )
        self.profile_lag = gauge(
            "tidemark_profile_lag_seconds",
            "How long the minute that waits the longest for its profile has been due; rises while a back-fill is worked"
            " through, or when profiles do not keep up, and windows are then counted from rows.",
        )
        self.last_run = gauge(
            "tidemark_last_run_timestamp_seconds", "End of the newest window a monitor has gone through.", *_MONITOR
        )

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(name, text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(name, text, labels, registry=self.registry)


class LatencyHistogram:
    """A histogram that takes a whole batch of seconds at once: one by one they cost more than storing them."""

    LABELS = (*_MODEL, "version")

    def __init__(self, name: str, text: str) -> None:
        self._name, self._text = name, text
        self._counts: dict[tuple[str, ...], Floats] = {}
        self._sums: dict[tuple[str, ...], float] = {}

    def observe_many(self, labels: tuple[str, str, str], seconds: Floats) -> None:
        """Add `seconds`, shape (n,), to the series of `labels`: namespace, model, version."""
        slots = np.searchsorted(LATENCY_BUCKETS, seconds)
        counts = np.bincount(slots, minlength=len(LATENCY_BUCKETS) + 1).astype(np.float64)
        self._counts[labels] = self._counts.get(labels, 0.0) + counts
        self._sums[labels] = self._sums.get(labels, 0.0) + float(seconds.sum())

    def collect(self) -> Iterator[HistogramMetricFamily]:
        family = HistogramMetricFamily(self._name, self._text, labels=self.LABELS)
        bounds = [*map(str, LATENCY_BUCKETS), "+Inf"]
        for labels, counts in list(self._counts.items()):
            buckets = list(zip(bounds, np.cumsum(counts).tolist(), strict=True))
            family.add_metric(labels, buckets=buckets, sum_value=self._sums[labels])
        yield family
