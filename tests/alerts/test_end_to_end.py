"""A finding's way through the real Prometheus and Alertmanager to a webhook, and its end's."""

import json
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Queue
from threading import Thread
from typing import Any

import yaml
from prometheus_client import start_http_server

import alerts
from core.config import parse
from core.metrics import Metrics

CONFIG = parse("""
monitors:
  - name: income-drift
    model: income
    reference: {dataset: train}
    window: {every: 1m}
    steps: [{name: drift, use: ks}]
    alert: {severity: page}
""")
FINDING = ("default", "income", "1", "income-drift", "drift", "age", "")


def test_a_finding_and_its_end_reach_the_webhook(tmp_path: Path, binary: Callable[[str], str]) -> None:
    programs = {name: binary(name) for name in ("prometheus", "prometheus-alertmanager")}
    metrics = Metrics()
    metrics.score.labels(*FINDING).set(0.41)
    metrics.fired.labels(*FINDING).set(1)
    with ExitStack() as running:
        target = running.enter_context(exposed(metrics))
        webhook, messages = running.enter_context(receiver())
        alertmanager = f"127.0.0.1:{free_port()}"
        rules, routes = alerts.render(CONFIG, tmp_path, {"TIDEMARK_ALERT_WEBHOOK": webhook})
        hurry(routes)
        running.enter_context(
            process(
                programs["prometheus-alertmanager"],
                f"--config.file={routes}",
                f"--storage.path={tmp_path / 'alertmanager'}",
                f"--web.listen-address={alertmanager}",
                "--cluster.listen-address=",
            )
        )
        running.enter_context(
            process(
                programs["prometheus"],
                f"--config.file={scraping(target, alertmanager, rules)}",
                f"--storage.tsdb.path={tmp_path / 'prometheus'}",
                f"--web.listen-address=127.0.0.1:{free_port()}",
            )
        )

        fired = messages.get(timeout=20)
        assert fired["status"] == "firing"
        (alert,) = fired["alerts"]
        assert alert["labels"] == {
            "alertname": "TidemarkDrift",
            "severity": "page",
            **dict(zip(("namespace", "model", "version", "monitor"), FINDING, strict=False)),
        }
        assert "age 0.41" in alert["annotations"]["description"]
        assert alert["annotations"]["runbook_url"] == "alerts/runbook.md#tidemarkdrift"

        metrics.fired.labels(*FINDING).set(0)
        resolved = messages.get(timeout=20)
        assert resolved["status"] == "resolved"
        assert resolved["alerts"][0]["fingerprint"] == alert["fingerprint"]


@contextmanager
def exposed(metrics: Metrics) -> Iterator[str]:
    """The metrics over HTTP, as a process of Tidemark shows them."""
    server, thread = start_http_server(0, "127.0.0.1", metrics.registry)
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def receiver() -> Iterator[tuple[str, Queue[dict[str, Any]]]]:
    """A webhook's address and the messages posted to it."""
    messages: Queue[dict[str, Any]] = Queue()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            messages.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/", messages
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def process(*command: str) -> Iterator[None]:
    running = subprocess.Popen([*command, "--log.level=error"])
    try:
        yield
    finally:
        running.terminate()
        running.wait(timeout=10)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def hurry(routes: Path) -> None:
    """The rendered routes with no waiting: a test cannot spend the minutes that a person is spared."""
    config = yaml.safe_load(routes.read_text())
    config["route"]["group_interval"] = "1s"
    for route in config["route"]["routes"]:
        route["group_wait"] = "0s"
    routes.write_text(yaml.safe_dump(config))


def scraping(target: str, alertmanager: str, rules: Path) -> Path:
    """A Prometheus configuration beside the rules, scraping every second."""
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [rules.name],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [alertmanager]}]}]},
        "scrape_configs": [{"job_name": "tidemark", "static_configs": [{"targets": [target]}]}],
    }
    path = rules.with_name("prometheus.yaml")
    path.write_text(yaml.safe_dump(config))
    return path
