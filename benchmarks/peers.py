"""Peers on the work of `ks`, each in a process of its own: `python -m benchmarks.peers PEER ROWS`.

PEER: evidently | alibi_detect | scipy | whylogs (whylogs wants an environment of its own).
Same data for all: 12 normal features, reference N(0, 1) and window N(0.02, 1), seed 0.
Prints seconds and peak memory as one JSON object; imports are not counted.
"""

import json
import os
import resource
import sys
import time
from collections.abc import Callable
from typing import Any

os.environ["DO_NOT_TRACK"] = "1"  # evidently phones home otherwise; it looks when it is imported

import numpy as np
from numpy.typing import NDArray

FEATURES = tuple(f"f{i}" for i in range(12))


def evidently(rows: int) -> None:
    from evidently import DataDefinition, Dataset, Report
    from evidently.presets import DataDriftPreset

    definition = DataDefinition(numerical_columns=list(FEATURES))
    reference, window = (Dataset.from_pandas(f, data_definition=definition) for f in frames(rows))
    timed(lambda: Report([DataDriftPreset(method="ks")]).run(window, reference))


def alibi_detect(rows: int) -> None:
    from alibi_detect.cd import TabularDrift

    reference, window = data(rows)
    detector = TabularDrift(reference.astype("f4"), p_val=0.05)
    timed(lambda: detector.predict(window.astype("f4")))


def scipy(rows: int) -> None:
    from scipy.stats import ks_2samp

    reference, window = data(rows)
    timed(lambda: [ks_2samp(reference[:, i], window[:, i], method="asymp") for i in range(len(FEATURES))])


def whylogs(rows: int) -> None:
    import whylogs as why

    reference, _ = frames(rows)
    timed(lambda: why.log(reference))


def data(rows: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Reference and window, each of shape (rows, 12)."""
    rng = np.random.default_rng(0)
    return rng.normal(size=(rows, len(FEATURES))), rng.normal(0.02, 1, size=(rows, len(FEATURES)))


def frames(rows: int) -> list[Any]:
    import pandas as pd

    return [pd.DataFrame(x, columns=FEATURES) for x in data(rows)]


def timed(work: Callable[[], object]) -> None:
    start = time.perf_counter()
    work()
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "peak_mb": peak}), flush=True)


PEERS: dict[str, Callable[[int], None]] = {
    "evidently": evidently,
    "alibi_detect": alibi_detect,
    "scipy": scipy,
    "whylogs": whylogs,
}

if __name__ == "__main__":
    PEERS[sys.argv[1]](int(sys.argv[2]))
