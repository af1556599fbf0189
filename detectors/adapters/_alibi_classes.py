"""The classes of alibi_detect.cd and alibi_detect.od (0.13) with the options that a configuration can give them."""

from dataclasses import dataclass
from typing import Literal

from core.distribution import Kind

from ._own import Own, OwnOfContext, OwnOfFeatures, OwnOfOutliers

How = Literal["features", "joint", "context", "online", "outliers", "series", "sequences"]
NUM: frozenset[Kind] = frozenset({"num"})
CAT: frozenset[Kind] = frozenset({"cat"})

# Two matrices of a row by row: kernels of more take minutes and gigabytes.
KERNEL_ROWS = 2_000
MOST_ROWS = 100_000
OWN: dict[How, type[Own]] = {
    "features": OwnOfFeatures,
    "joint": Own,
    "context": OwnOfContext,
    "online": Own,
    "outliers": OwnOfOutliers,
    "series": OwnOfOutliers,
    "sequences": OwnOfOutliers,
}


@dataclass(frozen=True)
class Listed:
    """`how` it is called. `options` of its constructor, `required` ones without a default.

    `saved_only`: what a configuration cannot hold and it cannot do without.
    """

    how: How
    options: tuple[str, ...] = ()
    kinds: frozenset[Kind] = NUM
    required: tuple[str, ...] = ()
    saved_only: str = ""
    rows: int = MOST_ROWS


_ANY = ("x_ref_preprocessed", "input_shape", "data_type")
_FEATURES = ("p_val", "preprocess_at_init", "correction", "n_features", *_ANY)
_TORCH = ("p_val", "backend", "preprocess_at_init", "device", *_ANY)
_ONLINE = ("ert", "n_bootstraps", "verbose", *_ANY)
_TRAINED = (
    *("binarize_preds", "train_size", "n_folds", "retrain_from_scratch", "seed", "learning_rate", "batch_size"),
    *("epochs", "verbose", "train_kwargs"),
)
_CLASSIFIER = ("preds_type", "use_calibration", "calibration_kwargs", "use_oob")
_SERIES = ("padding_amp_method", "padding_local_method", "padding_amp_side", "n_est_points", "n_grad_points")
_MODEL, _KERAS = "a model", "trained Keras models"

CLASSES: dict[str, Listed] = {
    "KSDrift": Listed("features", (*_FEATURES, "alternative")),
    "CVMDrift": Listed("features", _FEATURES),
    "FETDrift": Listed("features", (*_FEATURES, "alternative")),
    "ChiSquareDrift": Listed("features", _FEATURES, CAT),
    "TabularDrift": Listed("features", (*_FEATURES, "alternative"), NUM | CAT),
    "MMDDrift": Listed(
        "joint",
        (*_TORCH, "sigma", "configure_kernel_from_x_ref", "n_permutations", "batch_size_permutations"),
        rows=KERNEL_ROWS,
    ),
    "LSDDDrift": Listed(
        "joint", (*_TORCH, "sigma", "n_permutations", "n_kernel_centers", "lambda_rd_max"), rows=KERNEL_ROWS
    ),
    "ContextMMDDrift": Listed(
        "context",
        (*_TORCH, "n_permutations", "prop_c_held", "n_folds", "batch_size", "verbose"),
        required=("context",),
        rows=KERNEL_ROWS,
    ),
    "ClassifierDrift": Listed("joint", (*_TORCH, *_TRAINED, *_CLASSIFIER, "model"), required=("model",)),
    "SpotTheDiffDrift": Listed(
        "joint",
        (*(name for name in _TORCH if name != "preprocess_at_init"), *_TRAINED, "n_diffs", "l1_reg"),
        rows=KERNEL_ROWS,
    ),
    "CVMDriftOnline": Listed(
        "online", (*_ONLINE, "window_sizes", "batch_size", "n_features"), required=("ert", "window_sizes")
    ),
    "FETDriftOnline": Listed(
        "online",
        (*_ONLINE, "window_sizes", "t_max", "alternative", "lam", "n_features"),
        required=("ert", "window_sizes"),
    ),
    "MMDDriftOnline": Listed(
        "online",
        (*_ONLINE, "backend", "window_size", "sigma", "device"),
        required=("ert", "window_size"),
        rows=KERNEL_ROWS,
    ),
    "LSDDDriftOnline": Listed(
        "online",
        (*_ONLINE, "backend", "window_size", "sigma", "n_kernel_centers", "lambda_rd_max", "device"),
        required=("ert", "window_size"),
        rows=KERNEL_ROWS,
    ),
    "LearnedKernelDrift": Listed("joint", saved_only="a trainable kernel"),
    "ClassifierUncertaintyDrift": Listed("features", saved_only=_MODEL),
    "RegressorUncertaintyDrift": Listed("features", saved_only=_MODEL),
    "IForest": Listed(
        "outliers", ("threshold", "n_estimators", "max_samples", "max_features", "bootstrap", "n_jobs", "data_type")
    ),
    "Mahalanobis": Listed("outliers", ("threshold", "n_components", "std_clip", "start_clip", "max_n", "data_type")),
    "SpectralResidual": Listed(
        "series",
        ("threshold", "window_amp", "window_local", *_SERIES),
        required=("window_amp", "window_local", "n_est_points"),
    ),
    "OutlierAE": Listed("outliers", saved_only=_KERAS),
    "OutlierAEGMM": Listed("outliers", saved_only=_KERAS),
    "OutlierVAE": Listed("outliers", saved_only=_KERAS),
    "OutlierVAEGMM": Listed("outliers", saved_only=_KERAS),
    "OutlierSeq2Seq": Listed("sequences", saved_only=_KERAS),
    "LLR": Listed("outliers", saved_only=_KERAS),
    "OutlierProphet": Listed("outliers", saved_only="a forecast of dates"),
}

_CODE = "is code, which a configuration cannot hold: save the detector and use alibi_detect.load"
# Options that are in none of the lists above, and why.
REFUSED: dict[str, str] = {
    **dict.fromkeys(("preprocess_fn", "preprocess_batch_fn", "kernel", "x_kernel", "c_kernel", "model"), _CODE),
    **dict.fromkeys(("optimizer", "reg_loss_fn", "dataset", "dataloader", "initial_diffs"), _CODE),
    **dict.fromkeys(("update_x_ref", "update_ref"), "has no effect: each window is compared with the reference anew"),
    "num_workers": "would start processes of its own",
    "categories_per_feature": "is taken from the kinds of the fields",
    **dict.fromkeys(("cat_vars", "ohe"), "is not taken: this adapter gives the detector numbers only"),
}
