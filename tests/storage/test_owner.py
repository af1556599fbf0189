"""One process owns a folder; the others reach it through that process, or hear in one line who holds it."""

import os
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from core.errors import ConfigError, StoreError, StoreOwned
from storage import open_engine
from storage.engine import Engine
from storage.engines.embedded import EmbeddedEngine
from storage.migrate import migrate
from storage.serving import owner

HOLDS = """
import sys
from storage import open_engine
engine = open_engine("chdb://" + sys.argv[1], own=True)
print("ready", flush=True)
sys.stdin.read()
engine.close()
"""
SERVES = """
import socket, sys, threading
from pathlib import Path
import uvicorn
from storage import open_engine
from storage.migrate import migrate
from storage.serving.owner import announced
from storage.serving.serve import clickhouse_app, writes_with
engine = open_engine("chdb://" + sys.argv[1], own=True)
migrate(engine)
listener = socket.create_server(("127.0.0.1", 0))
app = clickhouse_app(engine.handles, writes_with("token"))
server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_level="warning", ws="none"))
thread = threading.Thread(target=server.run, args=([listener],))
thread.start()
with announced(Path(sys.argv[1]), f"http://127.0.0.1:{listener.getsockname()[1]}/", sys.argv[2]):
    print("ready", flush=True)
    sys.stdin.read()
    server.should_exit = True
    thread.join()
engine.close()
"""

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def start(folder: Path) -> Iterator[Start]:
    """Runs a program on the folder in a process of its own, which ends with its input."""
    started = []

    def run(program: str, *arguments: str) -> "subprocess.Popen[str]":
        command = [sys.executable, "-c", program, str(folder), *arguments]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        return process

    yield run
    for process in started:
        process.communicate(timeout=20)


def opened(folder: Path) -> Engine:
    return open_engine(f"chdb://{folder}")


def test_the_store_is_reached_through_its_owner_and_may_be_written(start: Start, folder: Path) -> None:
    process = start(SERVES, "token")
    store = opened(folder)
    assert store.url.startswith("clickhouse://owner@127.0.0.1:")
    assert migrate(store) == []
    store.command("INSERT INTO models (model) VALUES ('m')")
    assert store.rows("SELECT model FROM models") == [{"model": "m"}]
    store.close()
    process.communicate(timeout=20)
    assert process.returncode == 0 and not (folder / owner.FILE).exists()
    store = opened(folder)
    assert isinstance(store, EmbeddedEngine) and store.rows("SELECT model FROM models") == [{"model": "m"}]
    store.close()


def test_a_second_owner_hears_in_one_line_who_holds_the_folder(start: Start, folder: Path) -> None:
    process = start(SERVES, "token")
    with pytest.raises(StoreOwned) as caught:
        open_engine(f"chdb://{folder}", own=True)
    text = str(caught.value)
    assert f"held by process {process.pid}" in text and "answers at http://127.0.0.1:" in text and "\n" not in text


def test_a_folder_held_without_an_announcement_names_the_process_and_the_way_out(start: Start, folder: Path) -> None:
    process = start(HOLDS)
    with pytest.raises(StoreOwned, match=rf"held by process {process.pid} \(python.*serve-store"):
        opened(folder)


def test_an_announcement_of_a_dead_process_is_ignored_and_replaced(start: Start, folder: Path) -> None:
    process = start(SERVES, "token")
    process.kill()
    process.wait(timeout=20)
    assert (folder / owner.FILE).exists()
    store = opened(folder)
    assert isinstance(store, EmbeddedEngine)
    with owner.announced(folder, "http://127.0.0.1:1/", "new"):
        found = owner.announced_owner(folder)
        assert found == owner.Owner("http://127.0.0.1:1/", os.getpid(), "new")
    store.close()


def test_an_owner_that_does_not_answer_is_named(start: Start, folder: Path) -> None:
    process = start(HOLDS)
    with owner.announced(folder, "http://127.0.0.1:1/", "token"):
        (folder / owner.FILE).write_text(f'{{"url": "http://127.0.0.1:1/", "pid": {process.pid}, "token": "t"}}')
        with pytest.raises(StoreOwned, match=f"process {process.pid}, which does not answer at http://127.0.0.1:1/"):
            opened(folder)


def test_a_token_that_is_not_the_owner_s_is_refused(start: Start, folder: Path) -> None:
    start(SERVES, "stale")
    with pytest.raises(StoreError) as caught:
        opened(folder)
    assert caught.value.code == 516


def test_the_announcement_is_for_its_user_only_and_goes_away(engine: EmbeddedEngine) -> None:
    with owner.announced(engine.folder, "http://127.0.0.1:1/clickhouse/", "secret") as announced:
        mode = (engine.folder / owner.FILE).stat().st_mode
        assert stat.S_IMODE(mode) == 0o600
        assert announced.address().path == "clickhouse" and announced.address().password == "secret"
    assert not (engine.folder / owner.FILE).exists()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"url": 1}', '{"url": "u", "pid": "x", "token": "t"}'])
def test_an_announcement_that_cannot_be_read_is_none(folder: Path, text: str) -> None:
    folder.mkdir()
    (folder / owner.FILE).write_text(text)
    assert owner.announced_owner(folder) is None


def test_the_same_process_opens_its_own_folder_again(engine: EmbeddedEngine) -> None:
    with owner.announced(engine.folder, "http://127.0.0.1:1/", "secret"):
        again = open_engine(f"chdb://{engine.folder}")
        assert again.rows("SELECT 1 AS one") == [{"one": 1}]
        again.close()


@pytest.mark.parametrize(
    "url",
    [
        "chdb://",
        "sqlite://x",
        "clickhouse://",
        "clickhouse://h:port/",
        "clickhouse://u:hidden@h:1/?colour=red",
        "no url",
    ],
)
def test_a_wrong_address_is_a_configuration_error_without_its_password(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        open_engine(url)
    assert "hidden" not in str(caught.value)


def test_a_server_cannot_be_owned() -> None:
    with pytest.raises(ConfigError, match="chdb://DIR"):
        open_engine("clickhouse://127.0.0.1:8123", own=True)
