"""HTML reports beside the runs they belong to. What all of them repeat, megabytes of scripts, is stored once."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from core.access import EVERY_NAMESPACE, Namespaces
from core.findings import Report
from storage.engine import Engine

_MARK = "\0{}\0"


def save_reports(engine: Engine, reports: Sequence[Report]) -> None:
    """Before the run they belong to, as the rest of its outcome."""
    if not reports:
        return
    parts = {_hash(part): part for report in reports for part in report.constant}
    known = {
        row["hash"]
        for row in engine.rows(
            "SELECT hash FROM report_parts WHERE hash IN {hashes:Array(String)}", {"hashes": [*parts]}
        )
    }
    if new := {hash: text for hash, text in parts.items() if hash not in known}:
        engine.insert("report_parts", pa.table({"hash": [*new], "text": [*new.values()]}))
    same = ("run", "step", "version", "namespace")
    engine.insert(
        "reports",
        pa.table(
            {
                **{name: [getattr(report, name) for report in reports] for name in same},
                "html": [_without(report) for report in reports],
                "parts": pa.array([[_hash(p) for p in r.constant] for r in reports], pa.list_(pa.string())),
            }
        ),
    )


@dataclass(frozen=True)
class WantedReport:
    """Without `version`, the first one of the run's step."""

    run: str
    step: str
    version: str | None = None
    allowed: Namespaces = EVERY_NAMESPACE


def find_report(engine: Engine, wanted: WantedReport) -> str | None:
    """Its HTML. None when there is none in the namespaces allowed."""
    found = engine.rows(
        "SELECT html, parts, namespace FROM reports FINAL WHERE run = {run:String} AND step = {step:String}"
        f" AND {'version = {version:String}' if wanted.version is not None else 'true'} ORDER BY version LIMIT 1",
        {"run": wanted.run, "step": wanted.step, "version": wanted.version or ""},
    )
    if not found or found[0]["namespace"] not in wanted.allowed:
        return None
    texts = {
        row["hash"]: row["text"]
        for row in engine.rows(
            "SELECT hash, text FROM report_parts FINAL WHERE hash IN {hashes:Array(String)}",
            {"hashes": list(found[0]["parts"])},
        )
    }
    html = str(found[0]["html"])
    for at, hash in enumerate(found[0]["parts"]):
        html = html.replace(_MARK.format(at), texts.get(hash, ""))
    return html


def _without(report: Report) -> str:
    html = report.html.replace("\0", "")
    for at, part in enumerate(report.constant):
        html = html.replace(part, _MARK.format(at))
    return html


def _hash(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
