"""Tests of one field of a window against the same field of the reference."""

from detectors.protocols import FieldDetector

from .chi_squared import ChiSquared
from .jensen_shannon import JensenShannon
from .ks import KS
from .psi import PSI

UNIVARIATE: dict[str, type[FieldDetector]] = {
    "chi_squared": ChiSquared,
    "jensen_shannon": JensenShannon,
    "ks": KS,
    "psi": PSI,
}
