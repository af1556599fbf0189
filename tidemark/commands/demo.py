"""`tidemark demo`."""

from argparse import Namespace

from core.errors import ConfigError


def run(arguments: Namespace) -> int:
    try:
        from rich.console import Console

        from tidemark.demo.run import Demo
        from tidemark.demo.run import run as demonstrate
    except ImportError as error:
        raise ConfigError(f"{error.name} is not installed: pip install 'tidemark[all]'") from None
    asked = Demo(arguments.seconds, arguments.seed, not arguments.no_shift, arguments.port)
    return demonstrate(asked, Console(highlight=False))
