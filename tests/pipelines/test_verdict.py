"""One line says what decided."""

from dataclasses import replace

import pytest

from core.findings import Score
from pipelines.steps.verdict import told, unit

FIRED = Score(0.213, 0.14, 1e-9, effect=-0.42, interval=(-0.49, -0.35), detectable=0.1)
QUIET = replace(FIRED, score=0.1, p_value=0.3)


@pytest.mark.parametrize(
    ("score", "use", "kind", "reason"),
    [
        (FIRED, "ks", "num", "0.213 > 0.14; mean down by 0.42 sd [0.35, 0.49]"),
        (replace(FIRED, effect=0.42, interval=None), "ks", "num", "0.213 > 0.14; mean up by 0.42 sd"),
        (
            replace(FIRED, effect=0.12, interval=(0.1, 0.2)),
            "psi",
            "cat",
            "0.213 > 0.14; 0.12 of the rows differ [0.1, 0.2]",
        ),
        (replace(FIRED, effect=0.12, interval=None), "missing_rate", "cat", "0.213 > 0.14; share up by 0.12"),
        (replace(FIRED, effect=None), "ks", "num", "0.213 > 0.14"),
        (QUIET, "ks", "num", "not beyond chance; a shift of 0.1 sd would have shown"),
        (QUIET, "psi", "cat", "not beyond chance; a change of 0.1 of the rows would have shown"),
        (replace(QUIET, p_value=None), "psi", "num", "not above the threshold; a shift of 0.1 sd would have shown"),
        (replace(QUIET, detectable=None, reason="constant"), "ks", "num", "not beyond chance; constant"),
        (
            replace(QUIET, p_value=0.001),
            "ks",
            "num",
            "beyond chance, but the reference's own blocks differ as much; mean down by 0.42 sd [0.35, 0.49]",
        ),
    ],
)
def test_a_reason_says_what_decided_and_how_large_the_change_is(score: Score, use: str, kind: str, reason: str) -> None:
    assert told(score, unit(use, kind), 0.01).reason == reason  # type: ignore[arg-type]
    assert told(score, unit(use, kind), 0.01, "uncalibrated").reason == f"{reason}; uncalibrated"  # type: ignore[arg-type]


def test_what_is_undecided_keeps_its_own_reason() -> None:
    undecided = Score(None, None, reason="the window has no rows")
    assert told(undecided, "deviations", 0.01, "uncalibrated") == undecided
