"""Panels on what the monitors found."""

from dashboards import queries
from dashboards.panels import Panels, graph, limit_at, rows
from dashboards.sources import Sql, promql
from dashboards.traffic import FIRED


def drift() -> Panels:
    by_field = graph(
        "Drift by field, relative to its threshold",
        "Each field's score over its threshold, for the 20 fields that came highest: above 1 the field drifted. A slow "
        "rise is the world changing; a jump of many fields at once is a changed sender.",
        "short",
        Sql(queries.DRIFT_BY_FIELD, "timeseries"),
    )
    return [
        limit_at(by_field, 1),
        graph(
            "Fields and steps over their threshold",
            "How many fired in each monitor's newest window. A rise to many fields: look at the sender first.",
            "short",
            promql(f"sum by (monitor) ({FIRED})", "{{monitor}}"),
        ),
        rows(
            "Newest result of every field",
            "Score and threshold on the statistic's own scale; a rise over the threshold fires. A field without a "
            "score says why in `reason`.",
            Sql(queries.NEWEST_BY_FIELD),
        ),
    ]


def outliers() -> Panels:
    share = graph(
        "Share of outliers",
        "Share of each window's predictions that are unlike the reference as whole rows, and the share allowed. A rise "
        "means more rows that the model has no experience with.",
        "percentunit",
        Sql(queries.OUTLIER_SHARE, "timeseries"),
    )
    return [
        share.span(24),
        rows(
            "Highest-scoring predictions",
            "The rows least like the reference, with what was asked and answered.",
            Sql(queries.HIGHEST_SCORES),
        ),
        rows(
            "Explained predictions",
            "The five fields that moved each prediction most, away from the baseline.",
            Sql(queries.EXPLAINED),
        ),
    ]


def findings() -> Panels:
    return [
        rows(
            "Recent findings",
            "What fired, and what could not be decided with the reason. More rows mean that the model sees other data.",
            Sql(queries.FINDINGS),
        ),
        rows(
            "Recent runs",
            "Each window a monitor went through. What a failed run holds is of the steps that did not fail. A rise of "
            "`seconds` over the window's length means that the monitor falls behind.",
            Sql(queries.RUNS),
        ),
        rows(
            "Recent failed inferences",
            "Predictions answered with an error, with its text and the trace to follow.",
            Sql(queries.FAILED_INFERENCES),
        ),
    ]
