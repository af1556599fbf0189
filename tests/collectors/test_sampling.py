"""What sampling keeps: errors always, the same rows everywhere and each time, and weights that stand for the others."""

import subprocess
import sys
import uuid
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sent import as_rows, exchange, groups

from collectors.accounting.counting import count_sampled, count_stored
from collectors.sampling.sampler import Sampling
from collectors.sampling.uniform import uniform
from core.config import parse
from core.metrics import Metrics
from core.records import PREDICTIONS, ModelKey

MODEL = ModelKey("default", "m")
PINNED = 0.5780320076372042  # of the id `a`; another number would sample other rows after an upgrade
IDS = {
    "counters": lambda n: [str(k) for k in range(n)],
    "padded counters": lambda n: [f"order-{k:010}" for k in range(n)],
    "counters before a constant": lambda n: [f"{k}-of-the-nightly-batch-job-of-team-a" for k in range(n)],
    "uuids": lambda n: [str(uuid.UUID(bytes=np.random.default_rng(k).bytes(16))) for k in range(n)],
    "steps of 1000": lambda n: [str(k * 1000) for k in range(n)],
    "times": lambda n: [f"2026-11-01T12:{k // 60 % 60:02}:{k % 60:02}.{k:06}Z" for k in range(n)],
}


def batch(ids: list[str], **columns: Any) -> pa.RecordBatch:
    """Rows that answered 200 in no time; `columns` says what is otherwise, for all rows or for each."""
    plain = {"namespace": "default", "model": "m", "version": "", "source": "api", "status": 200, "error": ""}
    plain |= {"row": 0, "latency": 0.0, "weight": 1.0, "content": 0, "trace_id": "", "time": 0, "received": 0}
    said: dict[str, Any] = {**plain, **dict.fromkeys(("tags", *PREDICTIONS.names[-6:]), ()), **columns, "id": ids}
    return pa.RecordBatch.from_pydict(
        {name: v if isinstance(v, list) and len(v) == len(ids) else _repeated(v, len(ids)) for name, v in said.items()},
        schema=pa.schema([PREDICTIONS.field(name) for name in said]),
    ).select(PREDICTIONS.names)


def _repeated(value: Any, rows: int) -> list[Any]:
    return (value if isinstance(value, list) else [value]) * rows


def sampling(text: str) -> Sampling:
    return Sampling(parse(f"models: {{m: {{sample: {text}}}}}"))


def kept(text: str, rows: pa.RecordBatch) -> list[str]:
    ids: list[str] = sampling(text).kept(rows).kept.column("id").to_pylist()
    return ids


@pytest.mark.parametrize("ids", IDS)
def test_every_kind_of_id_is_spread_evenly(ids: str) -> None:
    numbers = uniform(MODEL, batch(IDS[ids](40_000)))
    assert numbers.min() >= 0 and numbers.max() < 1
    cells = np.histogram(numbers, 200, (0, 1))[0]
    assert stats.chisquare(cells).pvalue > 1e-3
    pairs = np.histogram2d(numbers[:-1], numbers[1:], 12, ((0, 1), (0, 1)))[0]  # an id tells nothing of the next
    assert stats.chisquare(pairs.ravel()).pvalue > 1e-3


def test_models_and_namespaces_are_sampled_independently() -> None:
    rows = batch(IDS["counters"](40_000))
    keys = (MODEL, ModelKey("default", "n"), ModelKey("other", "m"), ModelKey("defaul", "tm"))
    one, *others = (uniform(key, rows) for key in keys)
    for other in others:
        pairs = np.histogram2d(one, other, 12, ((0, 1), (0, 1)))[0]
        assert stats.chisquare(pairs.ravel()).pvalue > 1e-3


@given(st.lists(st.text(max_size=40), min_size=1, max_size=30), st.randoms())
def test_the_number_of_an_id_does_not_depend_on_what_comes_with_it(ids: list[str], random: Any) -> None:
    together = dict(zip(ids, uniform(MODEL, batch(ids)), strict=True))
    shuffled = random.sample(ids, len(ids))
    sliced = batch(["before", *shuffled, "after"]).slice(1, len(ids))
    assert uniform(MODEL, sliced).tolist() == [together[id] for id in shuffled]
    assert len(set(together.values())) == len({id.removesuffix("-0") or id for id in ids})


def test_another_process_keeps_the_same_rows() -> None:
    script = (
        "import pyarrow as pa; from collectors.sampling.uniform import uniform; from core.records import ModelKey;"
        "b = pa.RecordBatch.from_pydict({'id': ['a', 'b-7', 'é'], 'row': pa.array([0, 7, 0], pa.uint32())});"
        "print(uniform(ModelKey('default', 'm'), b).tolist())"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    # Also tomorrow, and on another machine: rows sent again would else be kept where they had been left out.
    assert ran.stdout.strip() == str(uniform(MODEL, batch(["a", "b-7", "é"], row=[0, 7, 0])).tolist())
    assert uniform(MODEL, batch(["a"])).tolist() == [PINNED]


def test_a_lower_share_keeps_a_part_of_what_a_higher_one_keeps() -> None:
    rows = batch(IDS["counters"](5000))
    few, half, all_of_them = (set(kept(share, rows)) for share in ("0.1", "0.5", "1"))
    assert few < half < all_of_them and len(all_of_them) == 5000
    assert (len(few), len(half)) == (pytest.approx(500, abs=80), pytest.approx(2500, abs=140))


def test_weights_stand_for_what_was_left_out_and_grow_on_weights_that_were_there() -> None:
    found = sampling("0.25").kept(batch(IDS["uuids"](4000), weight=2.0))
    assert set(found.kept.column("weight").to_pylist()) == {8.0}
    assert sum(found.kept.column("weight").to_pylist()) == pytest.approx(8000, abs=600)
    assert len(found.kept) + len(found.dropped) == 4000


def test_errors_are_never_sampled_away() -> None:
    rows = batch(
        [str(k) for k in range(600)],
        status=[[200, 400, 503, 0, 200, 204][k % 6] for k in range(600)],
        error=["late" if k % 6 == 4 else "" for k in range(600)],
    )
    for text in (
        "0.001",
        "[{when: {source: api}, keep: 0.001}]",
        "[{when: {status: [2xx]}, keep: 0.001}, {keep: 0.01}]",
    ):
        found = {row["id"]: row["weight"] for row in as_rows(sampling(text).kept(rows).kept)}
        errors = {str(k) for k in range(600) if k % 6 in (1, 2, 3, 4)}
        assert errors <= found.keys() and {found[id] for id in errors} == {1.0}
        assert len(found) < len(errors) + 10


def test_the_first_rule_that_matches_decides_and_what_none_matches_is_kept() -> None:
    rules = (
        '[{when: {tags.tier: gold, version: "2"}, keep: 1}, {when: {latency_over: 1s}, keep: 0.5},'
        " {when: {source: [api, events], status: 2xx}, keep: 0.125}]"
    )
    many = 4000
    for columns, keep in (
        ({"tags": [[("tier", "gold")]], "version": "2", "latency": 5.0}, 1.0),
        ({"tags": [[("tier", "gold")]], "version": "1", "latency": 5.0}, 0.5),
        ({"tags": [[("tier", "lead"), ("other", "gold")]], "version": "2", "latency": 1.001}, 0.5),
        ({"version": "2", "latency": 1.0}, 0.125),
        ({"latency": float("nan")}, 0.125),
        ({"source": "proxy"}, 1.0),
        ({"status": 304}, 1.0),
    ):
        found = sampling(rules).kept(batch([str(k) for k in range(many)], **columns)).kept
        assert len(found) / many == pytest.approx(keep, abs=0.03), columns
        assert set(found.column("weight").to_pylist()) == {1 / keep}


def test_a_request_is_kept_with_all_its_rows_or_left_out_with_all() -> None:
    sent = [exchange({"x": [1.0, 2.0, 3.0]}, {"y": [1.0, 2.0, 3.0]}, id=f"r{k}") for k in range(300)]
    (group,) = groups(*sent)
    found = as_rows(sampling("0.3").kept(group.batch).kept)
    requests = [row["id"].rpartition("-")[0] for row in found]
    assert 50 < len(set(requests)) < 130 and len(requests) == 3 * len(set(requests))
    alone = kept("0.3", batch([f"r{k}" for k in range(300)]))  # the same ids as requests of one row, by another tap
    assert set(alone) == set(requests)


def test_rows_that_come_by_themselves_are_sampled_one_by_one_whatever_their_ids() -> None:
    assert len(kept("0.3", batch([f"order-{k}" for k in range(1000)]))) == pytest.approx(300, abs=60)


def test_models_without_a_share_pass_untouched_beside_those_with_one() -> None:
    rows = batch(
        [str(k) for k in range(900)], model=["m", "free", "m"] * 300, namespace=["default"] * 600 + ["b"] * 300
    )
    both = Sampling(parse("models: {m: {sample: 0.1}, b/m: {sample: 0.9}}")).kept(rows).kept
    weights = {(r["namespace"], r["model"], r["weight"]) for r in as_rows(both)}
    assert weights == {("default", "m", 10.0), ("default", "free", 1.0), ("b", "m", 1 / 0.9), ("b", "free", 1.0)}
    assert both.column("id").to_pylist() == sorted(both.column("id").to_pylist(), key=int)
    for nothing in ("{}", "{models: {m: {sample: 1}}}", "{models: {other: {sample: 0.1}}}"):
        found = Sampling(parse(nothing)).kept(rows)
        assert found.kept is rows and len(found.dropped) == 0


def test_an_empty_batch_is_no_trouble() -> None:
    found = sampling("[{when: {tags.a: b}, keep: 0.2}, {keep: 0.1}]").kept(batch([]))
    assert (len(found.kept), len(found.dropped)) == (0, 0)


def test_what_is_sampled_away_still_counts_as_an_inference() -> None:
    found = sampling("0.1").kept(batch([str(k) for k in range(500)], latency=0.02, received=10**15))
    metrics = Metrics()
    count_stored(found.kept, metrics)
    count_sampled(found.dropped, metrics)
    value = metrics.registry.get_sample_value
    of_model = {"namespace": "default", "model": "m"}
    assert value("tidemark_inference_total", {**of_model, "version": "", "status": "200"}) == 500
    assert value("tidemark_inference_latency_seconds_count", {**of_model, "version": ""}) == 500
    assert value("tidemark_predictions_stored_total", of_model) == len(found.kept) < 100
