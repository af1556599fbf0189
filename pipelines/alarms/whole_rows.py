"""How a test of whole rows does where nothing is wrong: on each block of a reference, beside all the others.

As `calibration.py` does for fields: scores are put on one scale, heights, which the test's own law has at 1 on average.
What the blocks' heights are says how high the next block's may be. Heights and not p-values, because a block of many
rows may differ so much from the others, day after day, that its p-value is no number any more.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple, Protocol

import numpy as np

from core.distribution import Floats
from core.findings import Score
from detectors import LAW_AT
from pipelines.alarms.calibration import OUT_OF_REACH, Calibration, Shape, Tail, calibrate, critical, height_of
from pipelines.alarms.history import Stretch, spread
from storage.windows.relations import Relation
from storage.windows.rows import Matrix, pooled, some

# Each is a comparison of rows, which takes up to two seconds.
_MOST_BLOCKS = 40

_WHOLE = ""  # the one field there is
_UNIT = Shape(exponent=1.0, mean=1.0)
_NEVER = 1e-250  # of what fires a detector looks for the fields that explain it, which nobody asks of a block
_BODY = LAW_AT.index(0.1) + 1  # the probabilities before it are evenly apart, those behind it far out


class Judged(NamedTuple):
    """`law`: its thresholds at LAW_AT, empty where nothing could be decided. No score is above `most`."""

    score: Score
    law: Floats
    most: float


Judge = Callable[[Matrix, Matrix, float], Judged]
"""reference, window, alpha"""


class Read(Protocol):
    """The rows that a step looks at, of all versions or of one."""

    def __call__(self, relation: Relation, version: str | None = None) -> Matrix: ...


def of_blocks(stretches: Sequence[Stretch], read: Read, most_rows: int, judge: Judge) -> Calibration:
    """`most_rows`: as many as a reference is judged with."""
    tails = [tail for stretch in _fewer(stretches) for tail in _tails(stretch, read, most_rows, judge)]
    return calibrate({_WHOLE: tails}, {_WHOLE: _UNIT})


def decide(judged: Judged, found: Calibration, alpha: float, rows: float) -> Score:
    """The score with a threshold that windows like the blocks exceed with the probability `alpha` at most.

    `rows`: as `evidence` has it. What is usual and no sampling noise shows the more, the more rows there are.
    """
    score, scale, margin = judged.score, _Scale.of(judged.law), found.margins[_WHOLE]
    if scale is None or score.threshold is None:
        return score
    grown = rows / margin.rows
    inflation = 1 + (margin.inflation - 1) * grown
    usual = height_of(critical(found.highest, alpha), margin)
    height = max(scale.height(score.threshold) * inflation, usual * inflation, margin.gate * grown)
    return _raised(judged, max(score.threshold, scale.score(height)), scale)


def evidence(reference: Matrix, window: Matrix) -> float:
    """n m / (n + m) of the rows of even weight: one over the variance of a difference of two means."""
    n, m = int(reference.even.sum()), int(window.even.sum())
    return n * m / max(n + m, 1)


class _Scale(NamedTuple):
    """From scores to heights: powers of what a score is above `low`, such that heights have the law's tail."""

    low: float
    anchor: float
    exponent: float
    mean: float

    @classmethod
    def of(cls, law: Floats) -> "_Scale | None":
        """None for too few rows for the law to tell its body from its tail."""
        if not len(law) or not law[0] < law[_BODY] < law[-1]:
            return None
        above = (law - law[0]) / (law[_BODY] - law[0])
        exponent = np.log(np.log(LAW_AT[-1]) / np.log(LAW_AT[_BODY])) / np.log(above[-1])
        return cls(float(law[0]), float(law[_BODY]), float(exponent), float((above[:_BODY] ** exponent).mean()))

    def height(self, score: float) -> float:
        return float((max(score - self.low, 0.0) / (self.anchor - self.low)) ** self.exponent / self.mean)

    def score(self, height: float) -> float:
        return float(self.low + (self.anchor - self.low) * (height * self.mean) ** (1 / self.exponent))


def _raised(judged: Judged, threshold: float, scale: _Scale) -> Score:
    """What was detectable rises as the threshold does."""
    score = judged.score
    if score.threshold is None or threshold == score.threshold:
        return score
    if threshold >= judged.most:
        return replace(score, threshold=threshold, detectable=None, reason=OUT_OF_REACH)
    times = (threshold - scale.low) / (score.threshold - scale.low)
    shown = None if score.detectable is None else score.detectable * times
    return replace(score, threshold=threshold, detectable=shown)


def _fewer(stretches: Sequence[Stretch]) -> list[Stretch]:
    """As many blocks as there is time for; those of one season stay together."""
    longest = max((len(stretch.blocks) for stretch in stretches), default=0)
    chosen = [stretches[n] for n in spread(len(stretches), max(_MOST_BLOCKS // max(longest, 1), 1))]
    return [Stretch(s.whole, [s.blocks[n] for n in spread(len(s.blocks), _MOST_BLOCKS)]) for s in chosen]


def _tails(stretch: Stretch, read: Read, most_rows: int, judge: Judge) -> Iterator[Tail | None]:
    """None for a block on which nothing can be decided. Of large blocks only some rows are kept for the others."""
    each = -(-most_rows // max(len(stretch.blocks) - 1, 1))
    kept = [some(read(block.relation), each) for block in stretch.blocks]
    for at, side in enumerate(stretch.blocks):
        block = kept[at] if len(kept[at].values) < each else read(side.relation)
        others = [other for n, other in enumerate(kept) if n != at and other.fields == block.fields]
        yield _tail(pooled(others), block, judge) if others else None


def _tail(rest: Matrix, block: Matrix, judge: Judge) -> Tail | None:
    score, law, _ = judge(rest, block, _NEVER)
    scale = _Scale.of(law)
    if scale is None or score.score is None:
        return None
    height = scale.height(score.score)
    return Tail(height, score=height, rows=evidence(rest, block))
