"""Tests of one field of a window against the same field of the reference."""

from detectors.protocols import FieldDetector

from .anderson_darling import AndersonDarling
from .chi_squared import ChiSquared
from .cramer_von_mises import CramerVonMises
from .energy_distance import EnergyDistance
from .fisher import Fisher
from .g_test import GTest
from .hellinger import Hellinger
from .jensen_shannon import JensenShannon
from .ks import KS
from .kuiper import Kuiper
from .kullback_leibler import KullbackLeibler
from .l_infinity import LInfinity
from .mann_whitney import MannWhitney
from .missing_rate import MissingRate
from .psi import PSI
from .range_violations import RangeViolations
from .total_variation import TotalVariation
from .type_violations import TypeViolations
from .unseen_categories import UnseenCategories
from .wasserstein import Wasserstein
from .welch_t import WelchT

UNIVARIATE: dict[str, type[FieldDetector]] = {
    "anderson_darling": AndersonDarling,
    "chi_squared": ChiSquared,
    "cramer_von_mises": CramerVonMises,
    "energy_distance": EnergyDistance,
    "fisher": Fisher,
    "g_test": GTest,
    "hellinger": Hellinger,
    "jensen_shannon": JensenShannon,
    "ks": KS,
    "kuiper": Kuiper,
    "kullback_leibler": KullbackLeibler,
    "l_infinity": LInfinity,
    "mann_whitney": MannWhitney,
    "missing_rate": MissingRate,
    "psi": PSI,
    "range_violations": RangeViolations,
    "total_variation": TotalVariation,
    "type_violations": TypeViolations,
    "unseen_categories": UnseenCategories,
    "wasserstein": Wasserstein,
    "welch_t": WelchT,
}
