"""Panels on what comes in and how it was answered."""

from dashboards import queries
from dashboards.panels import Panels, graph, number, red_at
from dashboards.sources import Sql, promql

_MODEL = 'namespace="$namespace",model="$model"'
FIRED = f'max without (instance, job) (tidemark_fired{{{_MODEL},monitor=~"$monitor"}})'
_LATENCY = f"sum by (le) (rate(tidemark_inference_latency_seconds_bucket{{{_MODEL}}}[$__rate_interval]))"
_INFERENCES = f"rate(tidemark_inference_total{{{_MODEL}}}[$__rate_interval])"
_LAST_RECEIVED = f"max(tidemark_last_received_timestamp_seconds{{{_MODEL}}})"


def now() -> Panels:
    fired = number(
        "Fired",
        "Fields and steps over their threshold in the newest windows; any is an alarm of its monitor.",
        "short",
        promql(f"sum({FIRED}) or vector(0)", "fired"),
    )
    latency = number(
        "Latency, 95th percentile",
        "A rise means that the model's server takes longer.",
        "s",
        promql(f"histogram_quantile(0.95, {_LATENCY})", "95%"),
    )
    waited = number(
        "Since the last prediction",
        "A rise without end means that the model, its logger or the tap has stopped.",
        "s",
        promql(f"time() - {_LAST_RECEIVED}", "waited"),
    )
    rate = number("Predictions", "Answers a second.", "reqps", promql(f"sum({_INFERENCES})", "predictions"))
    return [rate, latency, red_at(fired, 1), waited]


def traffic() -> Panels:
    return [
        graph(
            "Predictions by version",
            "Predictions stored a second. A new version shows here first; a fall means that less comes or is stored.",
            "reqps",
            Sql(queries.TRAFFIC_BY_VERSION, "timeseries"),
        ),
        graph(
            "Predictions by status",
            "Answers stored a second. A rise of 4xx is a sender's mistake, of 5xx the model server's.",
            "reqps",
            promql(f"sum by (status) ({_INFERENCES})", "{{status}}"),
        ),
    ]


def answers() -> Panels:
    quantiles = zip((0.5, 0.95, 0.99), "ABC", strict=True)
    return [
        graph(
            "Latency",
            "How long the model took to answer. A rise of the 99th percentile alone is queueing; of all, slower work.",
            "s",
            *(promql(f"histogram_quantile({q}, {_LATENCY})", f"{q:.0%}", ref_id) for q, ref_id in quantiles),
        ),
        graph(
            "Failed inferences",
            "Share of predictions answered with an error, which is stored too. A rise means that users get errors.",
            "percentunit",
            Sql(queries.FAILED_SHARE, "timeseries"),
        ),
    ]
