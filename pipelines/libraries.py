"""Where the libraries of adapters are, and which of those that monitors need are not there."""

import os
import subprocess
import sys
from collections.abc import Collection
from importlib.util import find_spec

from core.config import Config
from detectors.adapters import ADAPTERS, adapter

# Another interpreter, in whose environment the libraries are; this one when it is not set.
PYTHON = "TIDEMARK_WORKER_PYTHON"
# A saved detector may not need the library it was saved by.
_LOAD = ".load"
_ASK = "import sys, importlib.util as u; print(*(m for m in sys.argv[1:] if u.find_spec(m) is None))"


def worker_python() -> str:
    """The interpreter that the environment names, '' for this one."""
    return os.environ.get(PYTHON, "")


def uninstalled(config: Config) -> list[str]:
    """One line for each step whose library is missing: it will fail, and the other steps will run."""
    steps = [
        (("monitors", number, "steps", k, "use"), step.name, adapter(step.use), step.use)
        for number, monitor in enumerate(config.watched)
        for k, step in enumerate(monitor.steps)
    ]
    used = {family.module for _, _, family, use in steps if family and not use.endswith(_LOAD)}
    if not used:
        return []
    try:
        missing = _missing(used)
    except (OSError, subprocess.SubprocessError) as error:
        return [f"{PYTHON}: {worker_python()} cannot be asked for its libraries: {error}"]
    extras = {family.module: family.extra for family in ADAPTERS.values()}
    return [
        f"{config.written.place(*keys)}: step '{step}' needs {family.module},"
        f" which {worker_python() or sys.executable} lacks: pip install 'tidemark[{extras[family.module]}]'"
        for keys, step, family, use in steps
        if family and family.module in missing and not use.endswith(_LOAD)
    ]


def _missing(modules: Collection[str]) -> set[str]:
    """Without importing any of them."""
    if not worker_python():
        return {module for module in modules if find_spec(module) is None}
    command = [worker_python(), "-c", _ASK, *sorted(modules)]
    return set(subprocess.run(command, capture_output=True, check=True, text=True, timeout=20).stdout.split())
