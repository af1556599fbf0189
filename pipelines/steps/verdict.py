"""What decided, in one line; and which findings explain an alarm."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from core.distribution import Kind
from core.findings import Finding, Score

Unit = Literal["deviations", "distance", "share", "own"]

# Detectors whose effect is a share of rows that rose or fell, whatever the field holds.
_OF_SHARES = frozenset({"missing_rate", "range_violations", "type_violations", "unseen_categories"})


def unit(use: str, kind: Kind) -> Unit:
    """What the effect of the detector `use` is: a shift of the mean in standard deviations, a total variation distance,
    or the change of a share."""
    return "share" if use in _OF_SHARES else "distance" if kind == "cat" else "deviations"


def told(score: Score, unit: Unit, alpha: float, note: str = "") -> Score:
    """`score` with the reason of its decision before what the detector remarks; `note` comes last.

    A p-value below `alpha` that did not fire met a threshold which the reference's own history raised.
    """
    if score.score is None or score.threshold is None:
        return score
    if score.fired:
        decision = f"{score.score:.3g} > {score.threshold:.3g}{_change(score, unit)}"
    elif score.p_value is not None and score.p_value < alpha:
        decision = f"beyond chance, but the reference's own blocks differ as much{_change(score, unit)}"
    else:
        decision = f"{_below(score)}{_would_have_shown(score, unit)}"
    return replace(score, reason="; ".join(part for part in (decision, score.reason, note) if part))


def ranked(findings: Sequence[Finding]) -> list[Finding]:
    """Those that fired get a rank, from 1, by how many times its threshold each score is; the order stays."""
    fired = [finding for finding in findings if finding.score.fired]
    order = sorted(fired, key=lambda finding: -excess(finding.score))
    ranks = {id(finding): rank for rank, finding in enumerate(order, 1)}
    return [replace(f, rank=ranks[id(f)]) if id(f) in ranks else f for f in findings]


def excess(score: Score) -> float:
    """How many times its threshold a score is."""
    return (score.score or 0.0) / score.threshold if score.threshold else float("inf")


def _below(score: Score) -> str:
    return "not beyond chance" if score.p_value is not None else "not above the threshold"


def _change(score: Score, unit: Unit) -> str:
    if score.effect is None:
        return ""
    if unit == "distance":
        return f"; {score.effect:.2g} of the rows differ{_between(score.interval)}"
    if unit == "own":
        return f"; effect {score.effect:.2g}{_between(score.interval)}"
    what, of = ("share", "") if unit == "share" else ("mean", " sd")
    size, interval = abs(score.effect), score.interval
    if score.effect < 0 and interval:
        interval = -interval[1], -interval[0]
    return f"; {what} {'up' if score.effect >= 0 else 'down'} by {size:.2g}{of}{_between(interval)}"


def _between(interval: tuple[float, float] | None) -> str:
    return f" [{interval[0]:.2g}, {interval[1]:.2g}]" if interval else ""


def _would_have_shown(score: Score, unit: Unit) -> str:
    if score.detectable is None:
        return ""
    size = f"{score.detectable:.2g}"
    said = {
        "deviations": f"a shift of {size} sd",
        "distance": f"a change of {size} of the rows",
        "share": f"{size} more",
        "own": f"an effect of {size}",
    }
    return f"; {said[unit]} would have shown"
