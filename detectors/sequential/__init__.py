"""Detectors that watch values one after the other and remember what came before."""

from detectors.protocols import StreamDetector

from .adwin import ADWIN
from .cusum import CUSUM
from .ddm import DDM
from .eddm import EDDM
from .kswin import KSWIN
from .page_hinkley import PageHinkley

SEQUENTIAL: dict[str, type[StreamDetector]] = {
    "adwin": ADWIN,
    "cusum": CUSUM,
    "ddm": DDM,
    "eddm": EDDM,
    "kswin": KSWIN,
    "page_hinkley": PageHinkley,
}
