"""Tests of all fields at once: what changes between the fields is seen although none changes by itself."""

from detectors.protocols import JointDetector

from .domain_classifier import DomainClassifier
from .energy import Energy
from .mmd import MMD
from .pca_reconstruction import PCAReconstruction
from .sliced_wasserstein import SlicedWasserstein

MULTIVARIATE: dict[str, type[JointDetector]] = {
    "domain_classifier": DomainClassifier,
    "energy": Energy,
    "mmd": MMD,
    "pca_reconstruction": PCAReconstruction,
    "sliced_wasserstein": SlicedWasserstein,
}
