"""What Evidently says of the rows of `cases` when it is called directly."""

from typing import Any

from cases import BINARY, CATEGORIES, NUMBERS, REFERENCE, WINDOW


def of(name: str, options: dict[str, Any]) -> Any:
    import evidently.metrics
    import evidently.presets
    from evidently import DataDefinition, Dataset, Report
    from pandas import DataFrame

    home = evidently.presets if hasattr(evidently.presets, name) else evidently.metrics
    definition = DataDefinition(numerical_columns=[*NUMBERS, *BINARY], categorical_columns=[*CATEGORIES])
    data = (Dataset.from_pandas(DataFrame(rows), data_definition=definition) for rows in (WINDOW, REFERENCE))
    tested = name in ("DataDriftPreset", "ValueDrift", "DriftedColumnsCount")
    snapshot = Report([getattr(home, name)(**options)], include_tests=tested).run(*data).dict()
    failed = [test["metric_config"]["metric_id"] for test in snapshot["tests"] if test["status"] == "FAIL"]
    return [
        {"metric": metric["metric_name"], "value": metric["value"], "failed": metric["id"] in failed}
        for metric in snapshot["metrics"]
    ]
