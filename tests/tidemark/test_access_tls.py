"""HTTPS by configuration; commands trust the owner's certificate, whoever signed it, and no other."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import requests
from test_starting import start
from up_process import Tidemark, eventually

from core.errors import ConfigError, StoreError
from storage import open_engine
from tidemark.demo.processes import free_port, running

pytestmark = pytest.mark.skipif(
    not shutil.which("openssl"), reason="openssl makes the certificates: not on this machine"
)


class Served(NamedTuple):
    url: str
    store: str
    certificate: Path
    log: Path


def certificate(folder: Path, name: str, *more: str) -> tuple[Path, Path]:
    """A new self-signed certificate for localhost, and its key."""
    crt, key = folder / f"{name}.crt", folder / f"{name}.key"
    made = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-keyout", key, "-out", crt, "-days", "2"]
    named = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    subprocess.run(["openssl", "req", "-x509", *made, *named, *(more or ("-nodes",))], check=True, capture_output=True)
    return crt, key


def configured(folder: Path, crt: Path, key: Path) -> Path:
    path = folder / "tidemark.yaml"
    path.write_text(f"tls: {{certificate: {crt}, key: {key}}}\n")
    return path


@pytest.fixture(scope="module", params=["up", "serve-store"])
def served(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Served]:
    folder, port = tmp_path_factory.mktemp("tls"), free_port()
    crt, key = certificate(folder, "own")
    store = f"chdb://{folder / 'store'}"
    options = ["--store", store, "--port", str(port), "--config", str(configured(folder, crt, key))]
    url, log = f"https://localhost:{port}", folder / "log"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSL_CERT_FILE", str(crt))
        ready = f"{url}/{'readyz' if request.param == 'up' else 'ping'}"
        with running("tidemark.cli", [request.param, *options], log, ready):
            yield Served(url, store, crt, log)


def test_it_answers_https_and_nothing_else(served: Served) -> None:
    path = "/ping" if "serve-store" in served.log.read_text() else "/livez"
    assert requests.get(served.url + path, verify=str(served.certificate), timeout=9).status_code == 200
    with pytest.raises(requests.ConnectionError):
        requests.get(served.url.replace("https", "http") + path, timeout=9)
    assert f"listening on {served.url.replace('localhost', '127.0.0.1')}" in served.log.read_text()


def test_commands_reach_the_owner_by_its_certificate(served: Served, tidemark: Tidemark) -> None:
    assert "49" in tidemark("query", "SELECT 7 * 7", "--store", served.store).out
    assert tidemark("migrate", "--store", served.store).code == 0


def test_a_server_with_another_certificate_is_not_the_owner(served: Served, tidemark: Tidemark) -> None:
    path = Path(served.store.removeprefix("chdb://")) / "owner.json"
    said = path.read_text()
    assert len(json.loads(said)["fingerprint"]) == 64
    try:
        path.write_text(json.dumps({**json.loads(said), "fingerprint": "0" * 64}))
        done = tidemark("query", "SELECT 1", "--store", served.store)
    finally:
        path.write_text(said)
    assert done.code == 1 and "Fingerprints did not match" in done.err


def test_a_store_elsewhere_is_trusted_by_the_fingerprint_in_its_address(served: Served) -> None:
    owner = json.loads((Path(served.store.removeprefix("chdb://")) / "owner.json").read_text())
    host, path = served.url.removeprefix("https://"), owner["url"].partition("/clickhouse")[1].strip("/")
    address = f"clickhouses://{host}/tidemark?path={path}&fingerprint="
    engine = open_engine(address + owner["fingerprint"].upper())
    assert engine.rows("SELECT 7 AS n") == [{"n": 7}]
    engine.close()
    for wrong, error in (("ab" * 32, StoreError), ("short", ConfigError)):
        with pytest.raises(error):
            open_engine(address + wrong)


def test_files_that_cannot_serve_are_one_line_at_the_start(tmp_path: Path) -> None:
    crt, key = certificate(tmp_path, "one")
    _, other = certificate(tmp_path, "two")
    _, locked = certificate(tmp_path, "locked", "-passout", "pass:x")
    for pair, said in (
        ((tmp_path / "none.crt", key), "tls.certificate: "),
        ((crt, tmp_path / "none.key"), "tls.key: "),
        ((crt, other), "not a PEM certificate and its key without a password: KEY_VALUES_MISMATCH"),
        ((crt, locked), "without a password"),
        ((key, crt), "not a PEM certificate"),
    ):
        done = start(f"chdb://{tmp_path / 'store'}", configured(tmp_path, *pair))
        (line,) = done.stderr.splitlines()
        assert done.returncode == 1 and said in line, line


def test_a_failed_handshake_costs_nobody_else_anything(served: Served) -> None:
    with pytest.raises(requests.exceptions.SSLError):
        requests.get(served.url, timeout=9)  # this client does not know the certificate
    path = "/ping" if "serve-store" in served.log.read_text() else "/livez"
    eventually(lambda: requests.get(served.url + path, verify=str(served.certificate), timeout=9).ok)
