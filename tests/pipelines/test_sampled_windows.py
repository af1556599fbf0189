"""From requests to findings with a tenth of the predictions stored: errors are all there and nothing fires falsely."""

from datetime import timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from stored_rows import NOON

from collectors.building.exchanges import Exchange, Naming, to_rows
from collectors.sampling.sampler import Sampling
from core.config import Config, parse
from core.findings import Finding, Window
from core.records import Half, Payload, RequestKey, Tensor
from core.times import to_micros
from pipelines.monitor import Tools, run_monitor
from pipelines.windows.reference import References
from pipelines.worker import Worker
from storage.delivery.sink import StoreSink
from storage.engine import Engine

ROWS, ERRORS = 20_000, 200
HOUR = Window(NOON, NOON + timedelta(hours=1))
NAMING = Naming(lambda tensor, width: (), lambda tensor, width: (), {})
SLOW_WHOLE = "[{when: {latency_over: 1s}, keep: 1}, {keep: 0.1}]"


def config(reference: Path, sample: str) -> Config:
    return parse(
        f"""
models: {{m: {{sample: {sample}}}}}
monitors:
  - name: watch
    model: m
    reference: {{dataset: '{reference}'}}
    window: {{every: 1h}}
    steps:
      - {{name: drift, use: ks}}
      - {{name: index, use: psi}}
      - {{name: out, use: mahalanobis, options: {{contamination: 0.05}}}}
"""
    )


def traffic(values: np.ndarray) -> pa.RecordBatch:
    """Requests of one row over half an hour, each hundredth answered with an error; the highest tenth is slow."""
    slow = values > np.quantile(values, 0.9)
    exchanges = [
        _exchange(f"request-{n}", value, to_micros(NOON) + n * 80_000, n % (ROWS // ERRORS) == 0, float(2 * slow[n]))
        for n, value in enumerate(values.tolist())
    ]
    return pa.concat_batches([group.batch for group in to_rows(exchanges, lambda model: NAMING)])


def _exchange(id: str, value: float, at: int, failed: bool, latency: float) -> Exchange:
    key = RequestKey("default", "m", id)
    asked = Payload((Tensor("a", np.array([value])),), id)
    said = Payload(() if failed else (Tensor("p", np.array([value / 2])),), id)
    answer = Half(key, "response", said, at, at, "events", 503 if failed else 200, "down" if failed else "", latency)
    return Exchange(Half(key, "request", asked, at, at, "events"), answer)


def findings(engine: Engine, config: Config) -> dict[tuple[str, str], Finding]:
    (monitor,) = config.monitors
    worker = Worker()
    tools = Tools(engine, worker, lambda model, version: NotImplemented, lambda: HOUR.end)
    try:
        reference = References(engine, config).find(monitor, HOUR, HOUR.end)
        outcome = run_monitor(tools, monitor, HOUR, reference)
    finally:
        worker.stop()
    assert outcome.run.reason == ""
    return {(f.step, f.field): f for f in outcome.findings if f.kind != "schema"}


def reference(folder: Path, random: np.random.Generator) -> Path:
    """Everything that came in some hour before, kept whole."""
    file = folder / "before.csv"
    values = random.normal(size=ROWS)
    file.write_text("a,p\n" + "\n".join(f"{v},{v / 2}" for v in values.tolist()))
    return file


@pytest.mark.parametrize("sample", ["0.1", SLOW_WHOLE])
def test_a_tenth_of_the_predictions_says_what_all_of_them_say(engine: Engine, tmp_path: Path, sample: str) -> None:
    random = np.random.default_rng(4)
    plan, values = config(reference(tmp_path, random), sample), random.normal(size=ROWS)
    sent, sampling, sink = traffic(values), Sampling(plan), StoreSink(engine)
    for _ in range(2):  # what is sent again meets the same decision, also after a restart
        sink.store(sampling.kept(sent).kept)
    (stored,) = engine.rows(
        "SELECT count() AS rows, countIf(status = 503) AS errors, sum(weight) AS total,"
        " sumIf(weight, status = 503) AS error_weight, sum(weight * inputs_num['a']) / sum(weight) AS mean"
        " FROM predictions FINAL"
    )
    assert stored["errors"] == stored["error_weight"] == ERRORS
    assert stored["rows"] < 0.25 * ROWS
    # Standard deviations of the number kept of so many at a tenth, and of a mean over so many.
    assert stored["total"] == pytest.approx(ROWS, abs=4 * (ROWS * 0.1 * 0.9) ** 0.5 / 0.1)
    assert stored["mean"] == pytest.approx(values.mean(), abs=4 / (0.1 * ROWS) ** 0.5)
    found = findings(engine, plan)
    assert not any(f.score.fired for f in found.values())
    assert found.keys() == {("drift", "a"), ("drift", "p"), ("index", "a"), ("index", "p"), ("out", "")}
    assert {f.window_rows for f in found.values()} == {stored["rows"]}


def test_a_change_is_found_in_a_tenth_of_the_predictions(engine: Engine, tmp_path: Path) -> None:
    random = np.random.default_rng(4)
    plan = config(reference(tmp_path, random), SLOW_WHOLE)
    StoreSink(engine).store(Sampling(plan).kept(traffic(random.normal(0.5, 1, ROWS))).kept)
    assert all(f.score.fired for f in findings(engine, plan).values())


def test_outliers_that_are_kept_whole_fire_only_when_taken_for_all_the_traffic(engine: Engine, tmp_path: Path) -> None:
    random = np.random.default_rng(4)
    plan = config(reference(tmp_path, random), SLOW_WHOLE)
    kept = Sampling(plan).kept(traffic(random.normal(size=ROWS))).kept
    StoreSink(engine).store(kept)
    assert not findings(engine, plan)["out", ""].score.fired
    engine.command("TRUNCATE TABLE predictions")
    at = kept.schema.get_field_index("weight")
    StoreSink(engine).store(kept.set_column(at, kept.schema.field(at), pa.array(np.ones(len(kept)))))
    assert findings(engine, plan)["out", ""].score.fired
