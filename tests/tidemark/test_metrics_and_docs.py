"""/metrics, the probes, and what /docs says."""

import shutil
import subprocess

import pytest
import requests
from up_process import Up, eventually

# Design section 4, contract section 3.
LABELS = {
    "tidemark_events_total": {"tap", "outcome"},
    "tidemark_predictions_stored_total": {"namespace", "model"},
    "tidemark_duplicates_total": {"namespace", "model"},
    "tidemark_conflicts_total": {"namespace", "model"},
    "tidemark_dead_letters_total": {"reason"},
    "tidemark_ingest_lag_seconds": set(),
    "tidemark_inference_total": {"namespace", "model", "version", "status"},
    "tidemark_inference_latency_seconds_count": {"namespace", "model", "version"},
}


@pytest.fixture(scope="module")
def metrics(served: Up) -> str:
    """After one prediction, sent twice and once with other content, and one body that is no JSON."""
    for age in (39, 39, 40):
        served.send("measured", {"id": "m1", "inputs": {"age": age}, "latency": 0.02, "status": 503})
    requests.post(f"{served.url}/api/predictions", b"{", timeout=20)
    stored = 'tidemark_predictions_stored_total{model="measured",namespace="default"} 2.0'
    eventually(lambda: stored in served.get("/metrics").text)
    return served.get("/metrics").text


def test_the_metrics_have_the_names_and_labels_of_the_contract(metrics: str) -> None:
    seen: dict[str, set[str]] = {name: set() for name in LABELS}
    for line in metrics.splitlines():
        name, _, labels = line.rpartition(" ")[0].partition("{")
        if name in seen:
            seen[name] |= {pair.partition("=")[0] for pair in labels.rstrip("}").split(",") if pair}
    assert seen == LABELS


def test_events_are_counted_by_the_words_of_the_contract(metrics: str) -> None:
    for tap in ("events", "api"):
        for outcome in ("accepted", "rejected", "shed", "error"):
            assert f'tidemark_events_total{{outcome="{outcome}",tap="{tap}"}}' in metrics
    for series in (
        'tidemark_duplicates_total{model="measured",namespace="default"} 1.0',
        'tidemark_conflicts_total{model="measured",namespace="default"} 1.0',
        'tidemark_inference_total{model="measured",namespace="default",status="503",version=""} 2.0',
        'tidemark_inference_latency_seconds_bucket{le="0.025",model="measured",namespace="default",version=""} 2.0',
        'tidemark_dead_letters_total{reason="bad_json"}',
    ):
        assert series in metrics


@pytest.mark.skipif(not shutil.which("promtool"), reason="promtool is not installed")
def test_prometheus_finds_nothing_to_mend(metrics: str) -> None:
    done = subprocess.run(["promtool", "check", "metrics"], input=metrics, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_probes_answer(served: Up) -> None:
    for path in ("/livez", "/readyz"):
        assert (served.get(path).status_code, served.get(path).text) == (200, "ok")


def test_the_docs_name_every_path_and_say_what_a_2xx_means(served: Up) -> None:
    schema = served.get("/openapi.json").json()
    paths = schema["paths"]
    for path in ("/", "/events", "/api/predictions", "/tap/{name}/{path}"):
        assert "post" in paths[path], path
    for path in ("/api/predictions/{id}", "/api/predictions", "/api/models", "/api/monitors", "/api/results"):
        assert "get" in paths[path], path
    assert {"/metrics", "/livez", "/readyz", "/clickhouse/"} <= paths.keys()
    assert "2xx" in schema["info"]["description"] and "received" in schema["info"]["description"]
    assert "received" in paths["/"]["post"]["responses"]["200"]["description"]
    assert set(paths["/api/predictions"]["post"]["responses"]) >= {"202", "400", "413", "415", "503"}
    assert {p["name"] for p in paths["/api/predictions"]["get"]["parameters"]} >= {
        "model",
        "namespace",
        "tag",
        "cursor",
    }
    assert "swagger" in served.get("/docs").text
    assert served.get("/").url.endswith("/docs")


def test_every_receive_path_in_the_docs_takes_the_content_types_it_names(served: Up) -> None:
    paths = served.get("/openapi.json").json()["paths"]
    for path in ("/", "/events", "/api/predictions"):
        for content_type in paths[path]["post"]["requestBody"]["content"]:
            headers = {"content-type": content_type, "ce-id": "d", "ce-type": "org.kubeflow.serving.inference.request"}
            answer = requests.post(f"{served.url}{path}", b"{", headers=headers, timeout=20)
            assert answer.status_code in (202, 400), (path, content_type, answer.text)
