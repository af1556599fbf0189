"""Where tokens come from: no secret lies in the configuration, weak ones are refused, each in one clear line."""

import json
from pathlib import Path

import pytest
from test_starting import start
from up_process import Tidemark

from core.config import Config, parse
from core.errors import ConfigError
from tidemark.tokens import Tokens, fresh_token, load_tokens, token_hash


def loaded(folder: Path, *tokens: str, environment: dict[str, str] | None = None) -> Tokens:
    lines = "\n".join(f"  - {{{said}}}" for said in tokens)
    return load_tokens(parse(f"tokens:\n{lines}").tokens, environment or {})


def test_a_token_is_recognised_wherever_its_secret_is_kept(tmp_path: Path) -> None:
    first, second, third = fresh_token(), fresh_token(), fresh_token()
    file = tmp_path / "token"
    file.write_text(f"{third}\n")
    file.chmod(0o600)
    known = loaded(
        tmp_path,
        f"name: a, scopes: [ingest], hash: '{token_hash(first)}'",
        "name: b, scopes: [read, ingest], env: B, tenants: [team-b]",
        f"name: c, scopes: [admin], file: {file}",
        environment={"B": second},
    )
    grants = [known.grant(token.encode()) for token in (first, second, third)]
    assert [(g.name, sorted(g.scopes), str(g.namespaces)) for g in grants if g] == [
        ("a", ["ingest"], "all"),
        ("b", ["ingest", "read"], "team-b"),
        ("c", ["admin"], "all"),
    ]
    assert known.grant(fresh_token().encode()) is None and known.grant(b"") is None
    assert known.grant(token_hash(first).encode()) is None, "the hash lies in the open"


@pytest.mark.parametrize(
    ("token", "said"),
    [
        ("scopes: [read], env: X", "tokens.0.name: Field required"),
        ("name: t, env: X", "tokens.0.scopes: Field required"),
        ("name: t, scopes: [], env: X", "tokens.0.scopes: name at least one"),
        ("name: t, scopes: [write], env: X", "tokens.0.scopes.0: Input should be 'ingest', 'read' or 'admin'"),
        ("name: t, scopes: [read]", "exactly one of: hash, env, file"),
        ("name: t, scopes: [read], env: X, file: y", "exactly one of: hash, env, file"),
        ("name: t, scopes: [read], env: X, tenants: []", "tokens.0.tenants: name at least one"),
        ("name: t, scopes: [admin], env: X, tenants: [a]", "does not go with 'tenants'"),
        ("name: t, scopes: [read], token: secret", "unknown key 'tokens.0.token'"),
        ("name: t, scopes: [read], hash: my-secret-token", "expected sha256:<64 hex digits>"),
        ("name: t, scopes: [read], env: NOTHING", "tokens.t.env: NOTHING holds nothing; `tidemark token` makes"),
        ("name: t, scopes: [read], file: /nowhere", "tokens.t.file: /nowhere cannot be read: No such file"),
        ("name: t, scopes: [read], env: SHORT", "tokens.t.env: at most 48 bits"),
        ("name: t, scopes: [read], env: HEX", "tokens.t.env: at most 112 bits"),
        ("name: t, scopes: [read], env: SPACED", "must hold one token"),
    ],
)
def test_a_wrong_token_is_one_line_that_does_not_repeat_the_secret(tmp_path: Path, token: str, said: str) -> None:
    environment = {"SHORT": "hunter12", "HEX": "0123456789abcdef" * 2, "SPACED": "one two three four five six"}
    environment["HEX"] = environment["HEX"][:28]
    with pytest.raises(ConfigError) as raised:
        loaded(tmp_path, token, environment=environment)
    (line,) = str(raised.value).splitlines()
    assert said in line
    assert not [secret for secret in (*environment.values(), "my-secret-token") if secret in line]


def test_two_tokens_of_one_name_or_one_secret_are_refused(tmp_path: Path) -> None:
    same = token_hash(fresh_token())
    with pytest.raises(ConfigError, match="two are named 'a'"):
        loaded(tmp_path, "name: a, scopes: [read], env: X", "name: a, scopes: [read], env: Y")
    with pytest.raises(ConfigError, match=r"tokens\.b: the same token as tokens\.a"):
        loaded(tmp_path, *(f"name: {name}, scopes: [read], hash: '{same}'" for name in "ab"))


def test_a_file_that_everyone_can_read_is_warned_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = tmp_path / "token"
    file.write_text(fresh_token())
    for mode, warned in ((0o644, True), (0o640, False)):
        file.chmod(mode)
        caplog.clear()
        loaded(tmp_path, f"name: t, scopes: [read], file: {file}")
        assert bool([line for line in caplog.messages if f"can read {file}; chmod 600" in line]) is warned


def test_the_command_prints_a_token_and_the_hash_that_lets_it_in(tidemark: Tidemark, tmp_path: Path) -> None:
    said = dict(line.split("#")[0].strip().split(": ", 1) for line in tidemark("token").out.splitlines())
    known = loaded(tmp_path, f"name: t, scopes: [read], hash: '{said['hash']}'")
    assert known.grant(said["token"].encode()) and len(said["token"]) >= 43
    as_json = json.loads(tidemark("token", "--json").out)
    assert as_json.keys() == {"token", "hash"} and as_json["token"] != said["token"]


def test_no_token_configured_is_falsy() -> None:
    assert not load_tokens(Config().tokens)


@pytest.mark.parametrize("role", ["up", "collect", "pipeline", "serve-store"])
@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_nobody_listens_beyond_this_machine_by_accident(tmp_path: Path, role: str, host: str) -> None:
    store = f"chdb://{tmp_path / 'store'}" if role in ("up", "serve-store") else "clickhouse://127.0.0.1:1/tidemark"
    done = start(store, None, "--host", host, role=role)
    (line,) = done.stderr.splitlines()
    remedy = "set $TIDEMARK_STORE_PASSWORD" if role == "serve-store" else "`tidemark token`"
    assert done.returncode == 1 and f"--host {host} lets every caller" in line
    assert remedy in line and "--allow-anonymous" in line
    assert not (tmp_path / "store").exists()
