"""The command line. A command's module is imported when it is called: `tidemark --help` must answer at once."""

import argparse
import os
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from core.errors import TidemarkError

DEFAULT_STORE = "chdb://./tidemark-data"
DEFAULT_PORT = 8080
_URL_HELP = (
    "of the collector; default $TIDEMARK_URL, else the `tidemark up` that has the store open, else "
    f"http://127.0.0.1:{DEFAULT_PORT}; $TIDEMARK_TOKEN is sent as a bearer token"
)

Arguments = Callable[[argparse.ArgumentParser], None]


def main(argv: list[str] | None = None) -> int:
    """Run one command; what goes wrong is one clear line on stderr and exit code 1."""
    arguments = parser().parse_args(argv)
    try:
        command = import_module(f"tidemark.commands.{arguments.module}")
        return int(command.run(arguments))
    except TidemarkError as error:
        print(f"tidemark: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # `tidemark query … | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except OSError as error:  # a file that cannot be read or written
        print(f"tidemark: {error.filename or 'this machine'}: {error.strerror or error}", file=sys.stderr)
        return 1


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="tidemark", description="Observability and model monitoring on ClickHouse.")
    top.add_argument("--version", action="version", version=_version())
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, (text, module, options) in COMMANDS.items():
        command = commands.add_parser(name, help=text, description=text)
        command.set_defaults(module=module)
        for add in options:
            add(command)
    return top


def _store(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--store",
        default=os.environ.get("TIDEMARK_STORE", DEFAULT_STORE),
        metavar="URL",
        help="chdb://DIR (embedded) or clickhouse://user:password@host:8123/tidemark; "
        f"default $TIDEMARK_STORE, else {DEFAULT_STORE}",
    )


def _config(command: argparse.ArgumentParser) -> None:
    command.add_argument("--config", type=Path, metavar="FILE", help="default ./tidemark.yaml when it is there")


def _server(command: argparse.ArgumentParser) -> None:
    command.add_argument("--host", default="127.0.0.1", help="address to listen on (default %(default)s)")
    command.add_argument("--port", type=int, default=DEFAULT_PORT, help="port to listen on (default %(default)s)")
    command.add_argument(
        "--allow-anonymous",
        action="store_true",
        help="listen beyond this machine although every caller is let in, as no token or password is set",
    )
    command.add_argument("--log-level", default="info", choices=("debug", "info", "warning", "error"))


def _json(command: argparse.ArgumentParser) -> None:
    command.add_argument("--json", action="store_true", help="print JSON for programs")


def _file(command: argparse.ArgumentParser) -> None:
    command.add_argument("file", type=Path, nargs="?", metavar="FILE", help="default ./tidemark.yaml")


def _query(command: argparse.ArgumentParser) -> None:
    command.add_argument("sql", metavar="SQL", help="one SELECT over the tables of the store")
    command.add_argument("--format", choices=("table", "json", "csv"), default="table", help="default %(default)s")
    command.add_argument("--out", type=Path, metavar="FILE.parquet", help="write Parquet instead of printing")
    command.add_argument("--seconds", type=_positive, default=60, help="time limit (default %(default)s)")
    command.add_argument("--rows", type=_count, default=1_000_000, help="row limit (default %(default)s)")
    command.add_argument("--memory-gb", type=_positive, default=2, help="memory limit (default %(default)s)")


def _positive(text: str) -> float:
    if not float(text) > 0:
        raise argparse.ArgumentTypeError("must be more than 0")
    return float(text)


def _count(text: str) -> int:
    return int(_positive(str(int(text))))


def _reference(command: argparse.ArgumentParser) -> None:
    actions = command.add_subparsers(dest="action", required=True, metavar="ACTION")
    add = actions.add_parser("add", help="keep a data set, or a stretch of stored predictions, under a name")
    add.add_argument("name", metavar="NAME")
    add.add_argument("file", type=Path, nargs="?", metavar="FILE", help="Parquet or CSV")
    add.add_argument("--model", metavar="M", help="take stored predictions of this model instead of a file")
    add.add_argument("--from", dest="since", metavar="T", help="RFC 3339, with --model")
    add.add_argument("--to", dest="until", metavar="T", help="RFC 3339, with --model")
    listing = actions.add_parser("list", help="show what is kept")
    for action in (add, listing):
        _store(action)
        _config(action)
        _json(action)


def _dead_letters(command: argparse.ArgumentParser) -> None:
    actions = command.add_subparsers(dest="action", required=True, metavar="ACTION")
    listing = actions.add_parser("list", help="show what could not be read or stored, the newest first")
    show = actions.add_parser("show", help="show one with its headers and its bytes")
    replay = actions.add_parser("replay", help="bring in what they hold, after what was wrong is mended")
    show.add_argument("letter", metavar="LETTER")
    show.add_argument("--out", type=Path, metavar="FILE", help="write its bytes there as well, as they came")
    replay.add_argument("letters", nargs="*", metavar="LETTER", help="else all that are open and match, oldest first")
    replay.add_argument("--url", default=os.environ.get("TIDEMARK_URL", ""), metavar="URL", help=_URL_HELP)
    for action in (listing, replay):
        action.add_argument("--reason", default="", metavar="R", help="such as bad_shape or too_large")
        action.add_argument("--model", default="", metavar="M", help="income, or team-a/income")
        action.add_argument("--since", metavar="T", help="RFC 3339, or how long ago: 90s, 5m, 1h, 7d")
    listing.add_argument("--limit", type=_count, default=100, metavar="N", help="at most so many (default %(default)s)")
    listing.add_argument("--settled", choices=("yes", "no"), help="only those that a replay stored, or only the others")
    for action in (listing, show, replay):
        _store(action)
        _json(action)


def _import(command: argparse.ArgumentParser) -> None:
    command.add_argument("file", type=Path, metavar="FILE", help="Parquet, CSV or NDJSON, told by its extension")
    command.add_argument("--model", default="", metavar="M", help="of rows that do not say theirs; or team-a/income")
    command.add_argument("--namespace", default="", metavar="N", help="of rows that do not say theirs")
    command.add_argument("--version", default="", metavar="V", help="of rows that do not say theirs")
    command.add_argument("--time", default="", metavar="T", help="RFC 3339; of rows that do not say theirs")
    command.add_argument("--url", default=os.environ.get("TIDEMARK_URL", ""), metavar="URL", help=_URL_HELP)


def _backtest(command: argparse.ArgumentParser) -> None:
    command.add_argument("file", type=Path, metavar="FILE", help="a tidemark.yaml, proposed or in use")
    command.add_argument(
        "--since", default="30d", metavar="T", help="RFC 3339, or how long ago: 1h, 7d (default %(default)s)"
    )
    command.add_argument("--until", default="", metavar="T", help="the same; default now")


def _dashboards(command: argparse.ArgumentParser) -> None:
    actions = command.add_subparsers(dest="action", required=True, metavar="ACTION")
    render = actions.add_parser("render", help="write the dashboards as JSON files")
    render.add_argument("directory", type=Path, metavar="DIR")
    push = actions.add_parser("push", help="create or update them in Grafana; credentials from $GRAFANA_TOKEN")
    push.add_argument("--grafana", required=True, metavar="URL")


def _alerts(command: argparse.ArgumentParser) -> None:
    actions = command.add_subparsers(dest="action", required=True, metavar="ACTION")
    render = actions.add_parser("render", help="write Prometheus rules and an Alertmanager configuration")
    render.add_argument("directory", type=Path, metavar="DIR")
    _config(render)


def _demo(command: argparse.ArgumentParser) -> None:
    command.add_argument("--seconds", type=float, metavar="N", help="end by itself; exit 1 unless the drift was found")
    command.add_argument("--seed", type=int, default=0, metavar="N", help="of the traffic (default %(default)s)")
    command.add_argument("--no-shift", action="store_true", help="leave the traffic as it is: nothing should fire")
    command.add_argument("--port", type=int, default=DEFAULT_PORT, help="of Tidemark (default %(default)s)")


# name: (what it does, module in tidemark/commands, its arguments)
COMMANDS: dict[str, tuple[str, str, tuple[Arguments, ...]]] = {
    "up": ("Collector, pipelines and API in one process on the embedded engine.", "serve", (_store, _config, _server)),
    "serve-store": (
        "The embedded engine over the ClickHouse HTTP protocol.",
        "serve_store",
        (_store, _config, _server),
    ),
    "collect": ("Only the collector and its taps, on a ClickHouse server.", "serve", (_store, _config, _server)),
    "pipeline": ("Only the pipelines, on a ClickHouse server.", "serve", (_store, _config, _server)),
    "demo": ("A real model, real data, a real shift: watch it being found.", "demo", (_demo,)),
    "migrate": ("Bring the store's tables up to date.", "migrate", (_store, _config, _json)),
    "check": ("Check a configuration, against the store too when it can be reached.", "check", (_file, _store, _json)),
    "token": ("A fresh bearer token, and its hash for the configuration.", "token", (_json,)),
    "query": ("Run one read-only SQL statement.", "query", (_query, _store)),
    "reference": ("Named reference data sets.", "reference", (_reference,)),
    "dead-letters": ("What could not be read or stored, and how to bring it in.", "dead_letters", (_dead_letters,)),
    "import": (
        "Bring in predictions from a file, as if they were sent; interrupted, the same command goes on.",
        "import_file",
        (_import, _store, _config, _json),
    ),
    "backtest": (
        "Which alarms a configuration would have given on what is stored.",
        "backtest",
        (_backtest, _store, _json),
    ),
    "dashboards": ("Grafana dashboards.", "dashboards", (_dashboards,)),
    "alerts": ("Prometheus and Alertmanager configuration.", "alerts", (_alerts,)),
}


def _version() -> str:
    from importlib.metadata import version

    return f"tidemark {version('tidemark')}"


if __name__ == "__main__":
    sys.exit(main())
