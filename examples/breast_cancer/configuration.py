"""The tidemark.yaml that watches the model, and the reference beside it."""

from pathlib import Path

import yaml

from examples.breast_cancer import MODEL
from examples.breast_cancer.model import population
from examples.breast_cancer.traffic import write_reference

# Half of the 114 held-out rows calibrate the forest, and at the usual 1 % it would call nothing an outlier that is not
# beyond all of those; the traffic is drawn from these very rows, so nothing ever would be.
OUTLIERS = 0.05


def write(folder: Path, upstream: str) -> Path:
    """Write `reference.csv` and `tidemark.yaml` into `folder` for a model served at `upstream`; returns the latter."""
    reference = folder / "reference.csv"
    write_reference(reference)
    path = folder / "tidemark.yaml"
    path.write_text(yaml.safe_dump(_configuration(upstream, reference), sort_keys=False))
    return path


def _configuration(upstream: str, reference: Path) -> dict[str, object]:
    return {
        "models": {
            MODEL: {
                "endpoint": f"{upstream}/v2/models/{MODEL}",
                "names": {"features": list(population().features)},
            }
        },
        "taps": [{"name": MODEL, "upstream": upstream}],
        "datasets": {"held-out": {"path": str(reference.resolve())}},
        "monitors": [
            {
                "name": f"{MODEL}-drift",
                "model": MODEL,
                "reference": {"dataset": "held-out"},
                "window": {"every": "2s", "over": "10s", "settle": "1s"},
                "steps": [
                    {"name": "drift", "use": "ks"},
                    {"name": "categories", "use": "chi_squared"},
                    {"name": "outliers", "use": "isolation_forest", "options": {"contamination": OUTLIERS}},
                    {"name": "why", "use": "shapley", "after": "outliers.fired", "rows": 3},
                ],
                "alert": {"severity": "page"},
            }
        ],
    }
