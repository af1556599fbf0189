"""The two data sources of every dashboard, chosen by a template variable each, and queries to them."""

from dataclasses import dataclass

from grafana_foundation_sdk.builders import prometheus
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models.common import DataSourceRef
from grafana_foundation_sdk.models.prometheus import QueryEditorMode

CLICKHOUSE = DataSourceRef("grafana-clickhouse-datasource", "${clickhouse}")
PROMETHEUS = DataSourceRef("prometheus", "${prometheus}")

# The plugin's version whose target format this is.
PLUGIN_VERSION = "4.20.0"
_FORMATS = {"timeseries": 0, "table": 1}


@dataclass(frozen=True)
class Sql(Dataquery, Builder["Sql"]):
    """A query in ClickHouse's SQL and the Grafana plugin's macros; `shape` is 'timeseries' or 'table'.

    As a time series: one time column, any text columns (they name the series), and the numbers.
    """

    sql: str
    shape: str = "table"
    ref_id: str = "A"

    def build(self) -> "Sql":
        return self

    def to_json(self) -> dict[str, object]:
        return {
            "refId": self.ref_id,
            "datasource": CLICKHOUSE,
            "editorType": "sql",
            "rawSql": self.sql,
            "format": _FORMATS[self.shape],
            "queryType": self.shape,
            "pluginVersion": PLUGIN_VERSION,
        }


Query = Sql | prometheus.Dataquery


def source(query: Query) -> DataSourceRef:
    return CLICKHOUSE if isinstance(query, Sql) else PROMETHEUS


def promql(expression: str, legend: str, ref_id: str = "A") -> prometheus.Dataquery:
    """A range query; `legend` names each series by its labels: `{{status}}`."""
    query = prometheus.Dataquery().datasource(PROMETHEUS).editor_mode(QueryEditorMode.CODE)
    return query.expr(expression).legend_format(legend).ref_id(ref_id).range()
