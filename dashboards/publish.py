"""Dashboards as JSON files, or into a running Grafana."""

import json
import os
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from core.errors import ConfigError, TidemarkError
from dashboards import DASHBOARDS

Auth = str | tuple[str, str]

# The SDK writes them for every variable; only variables of the type interval have them.
_INTERVAL_KEYS = ("auto", "auto_min", "auto_count")


def as_json(name: str) -> dict[str, Any]:
    """The dashboard `name` of DASHBOARDS as Grafana reads it."""
    board: dict[str, Any] = json.loads(json.dumps(DASHBOARDS[name](), cls=JSONEncoder))
    for variable in board["templating"]["list"]:
        for key in _INTERVAL_KEYS:
            variable.pop(key, None)
    return board


def render(directory: Path) -> list[Path]:
    """Write each dashboard to `<directory>/<name>.json`, the directory made when it is not there; returns the files."""
    directory.mkdir(parents=True, exist_ok=True)
    files = [directory / f"{name}.json" for name in DASHBOARDS]
    for file in files:
        file.write_text(json.dumps(as_json(file.stem), indent=2, ensure_ascii=False) + "\n", "utf-8")
    return files


def push(url: str, environment: Mapping[str, str] = os.environ) -> list[str]:
    """Create or update every dashboard, by uid, in the Grafana at `url`; returns their addresses.

    GRAFANA_TOKEN (of a service account), or GRAFANA_USER and GRAFANA_PASSWORD, come from `environment`. ConfigError
    when neither is there or `url` is none; TidemarkError when Grafana refuses or cannot be reached.
    """
    import requests
    from grafana_api.grafana_api import GrafanaException
    from grafana_api.grafana_face import GrafanaFace

    grafana = GrafanaFace(_auth(environment), **_place(url))
    with closing(grafana.api.s):
        try:
            return [_absolute(url, grafana.dashboard.update_dashboard(_upload(name))) for name in DASHBOARDS]
        except GrafanaException as error:
            raise TidemarkError(f"Grafana at {url} answers {error.status_code}: {_reason(error)}") from None
        except requests.JSONDecodeError:
            raise TidemarkError(f"{url} does not answer as Grafana does: is something else there?") from None
        except requests.RequestException as error:
            raise TidemarkError(f"Grafana at {url} cannot be reached: {type(error).__name__}") from None


def _upload(name: str) -> dict[str, object]:
    """`id` is Grafana's own number: null with a uid means create it, or overwrite the one with that uid."""
    return {"dashboard": as_json(name) | {"id": None}, "overwrite": True, "message": "tidemark dashboards push"}


def _auth(environment: Mapping[str, str]) -> Auth:
    if token := environment.get("GRAFANA_TOKEN"):
        return token
    if (user := environment.get("GRAFANA_USER")) and (password := environment.get("GRAFANA_PASSWORD")):
        return user, password
    raise ConfigError("set GRAFANA_TOKEN, or GRAFANA_USER and GRAFANA_PASSWORD, in the environment")


def _place(url: str) -> dict[str, Any]:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError(f"'{url}' is not the address of a Grafana, such as http://127.0.0.1:3000")
    path = parts.path.strip("/")
    return {
        "protocol": parts.scheme,
        "host": parts.hostname,
        "port": parts.port,
        "url_path_prefix": f"{path}/" if path else "",
    }


def _absolute(url: str, answer: dict[str, Any]) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}{answer['url']}"


def _reason(error: Any) -> str:
    if error.status_code in (401, 403):
        return "it does not take these credentials; give a service account's token with the role Editor"
    return str(error.message)
