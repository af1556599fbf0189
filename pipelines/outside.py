"""The life of a worker process in another interpreter, which runs this file as a script: it finds Tidemark's own
packages beside the file, and everything else in its own environment.
"""

import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType

PACKAGES = ("core", "detectors", "pipelines")
ROOT = str(Path(__file__).resolve().parents[1])


class Tidemark:
    """Finds PACKAGES and nothing else: what lies beside them may be for another version of Python."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> ModuleSpec | None:
        return PathFinder.find_spec(name, [ROOT], target) if path is None and name in PACKAGES else None


if __name__ == "__main__":
    sys.meta_path.insert(0, Tidemark)
    from pipelines.worker import serve

    serve(int(sys.argv[1]), int(sys.argv[2]))
