"""What decided, in one line; and which findings explain an alarm."""

from collections.abc import Sequence
from dataclasses import replace

from core.distribution import Kind
from core.findings import Finding, Score


def told(score: Score, kind: Kind, alpha: float, note: str = "") -> Score:
    """`score` with the reason of its decision before what the detector remarks; `note` comes last.

    A p-value below `alpha` that did not fire met a threshold which the reference's own history raised.
    """
    if score.score is None or score.threshold is None:
        return score
    if score.fired:
        decision = f"{score.score:.3g} > {score.threshold:.3g}{_change(score, kind)}"
    elif score.p_value is not None and score.p_value < alpha:
        decision = f"beyond chance, but the reference's own blocks differ as much{_change(score, kind)}"
    else:
        decision = f"{_below(score)}{_would_have_shown(score, kind)}"
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


def _change(score: Score, kind: Kind) -> str:
    if score.effect is None:
        return ""
    interval = f" [{score.interval[0]:.2g}, {score.interval[1]:.2g}]" if score.interval else ""
    if kind == "cat":
        return f"; {score.effect:.2g} of the rows differ{interval}"
    return f"; mean {'up' if score.effect >= 0 else 'down'} by {abs(score.effect):.2g} sd{_turned(score)}"


def _turned(score: Score) -> str:
    """The interval of a shift down as that of its size."""
    if score.interval is None:
        return ""
    low, high = score.interval if (score.effect or 0.0) >= 0 else (-score.interval[1], -score.interval[0])
    return f" [{low:.2g}, {high:.2g}]"


def _would_have_shown(score: Score, kind: Kind) -> str:
    if score.detectable is None:
        return ""
    change = (
        f"a change of {score.detectable:.2g} of the rows" if kind == "cat" else f"a shift of {score.detectable:.2g} sd"
    )
    return f"; {change} would have shown"
