"""The three kinds of panel the dashboards are made of. Each has a description that says what a rise means."""

from grafana_foundation_sdk.builders import common, dashboard, stat, table, timeseries
from grafana_foundation_sdk.models.common import (
    GraphThresholdsStyleMode,
    LegendDisplayMode,
    LegendPlacement,
    VisibilityMode,
)
from grafana_foundation_sdk.models.dashboard import DynamicConfigValue, Threshold, ThresholdsMode

from dashboards.sources import Query, source

Panels = list[timeseries.Panel | stat.Panel | table.Panel]

# Columns of result tables that are the same everywhere: Grafana shows whatever else comes as it is.
_COLUMNS = {
    "latency": [DynamicConfigValue("unit", "s")],
    "seconds": [DynamicConfigValue("unit", "s")],
    "ratio": [
        DynamicConfigValue("displayName", "score / threshold"),
        DynamicConfigValue("custom.cellOptions", {"type": "color-text"}),
        DynamicConfigValue(
            "thresholds",
            {
                "mode": "absolute",
                "steps": [
                    {"color": "green", "value": None},
                    {"color": "red", "value": 1},
                ],
            },
        ),
    ],
}


def graph(title: str, description: str, unit: str, *queries: Query) -> timeseries.Panel:
    """Half a row wide; the line goes on over intervals without a point, since windows are sparse."""
    panel = timeseries.Panel().title(title).description(description).unit(unit)
    panel.datasource(source(queries[0])).targets(list(queries))
    legend = common.VizLegendOptions().display_mode(LegendDisplayMode.LIST).placement(LegendPlacement.BOTTOM)
    return (
        panel.legend(legend.show_legend(True))
        .fill_opacity(10)
        .show_points(VisibilityMode.AUTO)
        .span_nulls(True)
        .axis_soft_min(0)
        .span(12)
        .height(8)
    )


def limit_at(panel: timeseries.Panel, value: float) -> timeseries.Panel:
    """Draw a red line at `value`."""
    style = common.GraphThresholdsStyleConfig().mode(GraphThresholdsStyleMode.LINE)
    return panel.thresholds(_red_from(value)).thresholds_style(style)


def number(title: str, description: str, unit: str, query: Query) -> stat.Panel:
    """The newest value, a quarter of a row wide."""
    panel = stat.Panel().title(title).description(description).unit(unit)
    newest = common.ReduceDataOptions().calcs(["lastNotNull"])
    return panel.datasource(source(query)).with_target(query).reduce_options(newest).span(6).height(4)


def red_at(panel: stat.Panel, value: float) -> stat.Panel:
    return panel.thresholds(_red_from(value))


def rows(title: str, description: str, query: Query) -> table.Panel:
    """A whole row wide; the columns as the query names them."""
    panel = table.Panel().title(title).description(description)
    for name, properties in _COLUMNS.items():
        panel.override_by_name(name, properties)
    return panel.datasource(source(query)).with_target(query).filterable(True).span(24).height(9)


def _red_from(value: float) -> dashboard.ThresholdsConfig:
    steps = [Threshold(None, "green"), Threshold(value, "red")]
    return dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps)
