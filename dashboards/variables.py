"""What a reader chooses at the top of a dashboard: two data sources, then namespace, model and its monitors."""

from grafana_foundation_sdk.builders.dashboard import DatasourceVariable, QueryVariable
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models.dashboard import VariableModel, VariableOption, VariableRefresh, VariableSort

from dashboards import queries
from dashboards.sources import CLICKHOUSE, PROMETHEUS

_ALL = VariableOption(selected=True, text=["All"], value=["$__all"])


def variables() -> list[Builder[VariableModel]]:
    return [
        DatasourceVariable("clickhouse").label("ClickHouse").type(str(CLICKHOUSE.type_val)),
        DatasourceVariable("prometheus").label("Prometheus").type(str(PROMETHEUS.type_val)),
        _query("namespace", "Namespace", queries.NAMESPACES),
        _query("model", "Model", queries.MODELS),
        _query("monitor", "Monitor", queries.MONITORS).multi(True).include_all(True).current(_ALL),
    ]


def _query(name: str, label: str, sql: str) -> QueryVariable:
    variable = QueryVariable(name).label(label).datasource(CLICKHOUSE).sort(VariableSort.ALPHABETICAL_ASC)
    return variable.query({"editorType": "sql", "rawSql": sql}).refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
