"""One model at a glance: its traffic, whether its inputs drifted, which rows are outliers, what was found."""

from itertools import count

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.models.dashboard import Dashboard, DashboardCursorSync

from dashboards import delivery, findings, traffic
from dashboards.panels import Panels
from dashboards.variables import variables


def model_monitoring() -> Dashboard:
    """The dashboard of the model chosen by the variables `namespace` and `model`, and its monitors by `monitor`."""
    board = (
        dashboard.Dashboard("Tidemark: model monitoring")
        .uid("tidemark-model-monitoring")
        .description("What a model was asked and answered, and what its monitors found in that.")
        .tags(["tidemark"])
        .time("now-6h", "now")
        .refresh("30s")
        .timezone("browser")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .variables(variables())
    )
    ids = count(1)
    for title, panels in _rows().items():
        board.with_row(dashboard.Row(title).id(next(ids)))
        for panel in panels:
            board.with_panel(panel.id(next(ids)))
    return board.build()


def _rows() -> dict[str, Panels]:
    return {
        "Now": traffic.now(),
        "Traffic": traffic.traffic(),
        "Latency and failures": traffic.answers(),
        "Drift": findings.drift(),
        "Outliers": findings.outliers(),
        "Findings": findings.findings(),
        "Delivery": delivery.delivery(),
        "Ledger": delivery.ledger(),
    }
