"""All that is known of stored predictions: labels, scores, explanations, and the windows of monitors that held them."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from core.records import ModelKey
from storage.delivery.halves import IDS_PER_QUERY
from storage.engine import Engine
from storage.findings.results import SHOWN, as_shown
from storage.lookup.labels import revisions

Row = Mapping[str, Any]


def lineage(engine: Engine, predictions: Sequence[Row]) -> list[dict[str, list[dict[str, Any]]]]:
    """`labels`, `scores`, `explanations` and `results` of each of `predictions`, given as rows of that table.

    Labels come with all their revisions, the newest first. The results are those of the windows that hold it, on its
    version, as a whole and in its own segments.
    """
    return [known for some in _by_model(predictions) for known in _Known(engine, some).of_each()]


def _by_model(predictions: Sequence[Row]) -> Iterator[Sequence[Row]]:
    for _, group in groupby(predictions, key=lambda row: (row["namespace"], row["model"])):
        rows = list(group)
        yield from (rows[start : start + IDS_PER_QUERY] for start in range(0, len(rows), IDS_PER_QUERY))


class _Known:
    """Asks once for all of some predictions of one model."""

    def __init__(self, engine: Engine, predictions: Sequence[Row]) -> None:
        self._engine, self._predictions = engine, predictions
        self._model = {name: predictions[0][name] for name in ("namespace", "model")}

    def of_each(self) -> list[dict[str, list[dict[str, Any]]]]:
        scores = self._by_id("monitor, step, run, score, threshold", "scores")
        explanations = self._by_id(
            "explainer, output, prediction, baseline, values, errors, model_calls, monitor, run", "explanations"
        )
        labels = self._labels()
        runs = self._runs()
        results = self._results([run["id"] for run in runs])
        return [
            {
                "labels": labels.get(row["id"], []),
                "scores": scores.get(row["id"], []),
                "explanations": explanations.get(row["id"], []),
                "results": _of_row(row, {run["id"] for run in runs if _holds(run, row)}, results),
            }
            for row in self._predictions
        ]

    def _by_id(self, columns: str, table: str) -> dict[str, list[dict[str, Any]]]:
        rows = self._engine.rows(
            f"SELECT id, {columns} FROM {table} FINAL WHERE namespace = {{namespace:String}}"
            f" AND model = {{model:String}} AND id IN {{ids:Array(String)}} ORDER BY 1, 2, 3",
            {**self._model, "ids": [row["id"] for row in self._predictions]},
        )
        return _by_id(rows)

    def _labels(self) -> dict[str, list[dict[str, Any]]]:
        ids = [row["id"] for row in self._predictions]
        return _by_id(revisions(self._engine, ModelKey(**self._model), ids))

    def _runs(self) -> list[dict[str, Any]]:
        """Those whose window may hold any of the predictions."""
        bounds = {
            f"{name}_{end}": pick(row[name] for row in self._predictions)
            for name in ("time", "received")
            for end, pick in (("first", min), ("last", max))
        }
        return self._engine.rows(
            "SELECT id, window_start, window_end, first_received, first_id, last_received, last_id FROM runs FINAL"
            " WHERE namespace = {namespace:String} AND model = {model:String} AND if(last_id = '',"
            " window_start <= {time_last:DateTime64(6, 'UTC')} AND {time_first:DateTime64(6, 'UTC')} < window_end,"
            " first_received <= {received_last:DateTime64(6, 'UTC')}"
            " AND {received_first:DateTime64(6, 'UTC')} <= last_received)"
            " ORDER BY revision DESC LIMIT 1 BY monitor, window_end, window_start",
            {**self._model, **bounds},
        )

    def _results(self, runs: Sequence[str]) -> list[dict[str, Any]]:
        return self._engine.rows(
            f"SELECT {SHOWN} FROM results FINAL WHERE run IN {{runs:Array(String)}}"
            " ORDER BY window_end, monitor, step, segment, field",
            {"runs": list(runs)},
        )


def _holds(run: Row, row: Row) -> bool:
    if not run["last_id"]:
        return bool(run["window_start"] <= row["time"] < run["window_end"])
    first, last = (run["first_received"], run["first_id"]), (run["last_received"], run["last_id"])
    return first <= (row["received"], row["id"]) <= last


def _of_row(row: Row, runs: set[str], results: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    segments = {"", *(f"{key}={value}" for key, value in row["tags"].items())}
    return [
        as_shown(result)
        for result in results
        if result["run"] in runs and result["version"] == row["version"] and result["segment"] in segments
    ]


def _by_id(rows: Sequence[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    return {id: [_without_id(row) for row in group] for id, group in groupby(rows, key=lambda row: row["id"])}


def _without_id(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "id"}
