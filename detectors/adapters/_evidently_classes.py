"""The presets and metrics of Evidently (0.7) with the options that a configuration can give them."""

_DRIFT = (
    *("columns", "drift_share", "method", "cat_method", "num_method", "text_method", "per_column_method"),
    *("threshold", "cat_threshold", "num_threshold", "text_threshold", "per_column_threshold"),
)
_COUNT = ("tests", "share_tests")
_COLUMN = ("column", "tests")
_COLUMN_COUNT = ("column", *_COUNT)

PRESETS: dict[str, tuple[str, ...]] = {
    "DataDriftPreset": _DRIFT,
    "DataSummaryPreset": ("columns",),
    "DatasetStats": (),
    "ValueStats": ("column", "replace_nan"),
}

METRICS: dict[str, tuple[str, ...]] = {
    "ValueDrift": ("column", "method", "threshold", "nbinsx", "tests"),
    "DriftedColumnsCount": (*_DRIFT, *_COUNT),
    "MinValue": _COLUMN,
    "MaxValue": _COLUMN,
    "MeanValue": _COLUMN,
    "MedianValue": _COLUMN,
    "StdValue": _COLUMN,
    "SumValue": _COLUMN,
    "QuantileValue": (*_COLUMN, "quantile"),
    "CategoryCount": (*_COLUMN_COUNT, "category", "categories"),
    "InRangeValueCount": (*_COLUMN_COUNT, "left", "right"),
    "OutRangeValueCount": (*_COLUMN_COUNT, "left", "right"),
    "InListValueCount": (*_COLUMN_COUNT, "values"),
    "OutListValueCount": (*_COLUMN_COUNT, "values"),
    "MissingValueCount": _COLUMN_COUNT,
    "UniqueValueCount": ("column", "replace_nan"),
    "RowCount": ("tests",),
    "ColumnCount": ("tests", "column_type"),
    "DuplicatedRowCount": ("tests",),
    "DuplicatedColumnsCount": ("tests",),
    "DatasetMissingValueCount": _COUNT,
    "AlmostConstantColumnsCount": ("tests",),
    "AlmostDuplicatedColumnsCount": ("tests",),
    "ConstantColumnsCount": ("tests",),
    "EmptyRowsCount": ("tests",),
    "EmptyColumnsCount": ("tests",),
}

REQUIRED: dict[str, tuple[str, ...]] = {
    "InRangeValueCount": ("left", "right"),
    "OutRangeValueCount": ("left", "right"),
    "InListValueCount": ("values",),
    "OutListValueCount": ("values",),
}

_LABELS = "labels or rankings beside the inputs"
_TABLE = "no number but a table"

# What cannot be run over the inputs of a window: what each needs, or gives.
REFUSED: dict[str, str] = {
    **dict.fromkeys(
        (
            *("ClassificationPreset", "ClassificationQuality", "ClassificationQualityByLabel"),
            *("ClassificationDummyQuality", "RegressionPreset", "RegressionQuality", "RegressionDummyQuality"),
            *("RecsysPreset", "F1Score", "Accuracy", "Precision", "Recall", "TPR", "TNR", "FPR", "FNR", "LogLoss"),
            *("RocAuc", "F1ByLabel", "PrecisionByLabel", "RecallByLabel", "RocAucByLabel", "MeanError", "MAE"),
            *("MAPE", "RMSE", "R2Score", "AbsMaxError", "DummyMAE", "DummyMAPE", "DummyRMSE", "DummyF1Score"),
            *("DummyPrecision", "DummyRecall", "DummyTPR", "DummyTNR", "DummyRocAuc", "DummyLogLoss", "DummyFPR"),
            *("DummyFNR", "DummyAccuracy", "ScoreDistribution", "NDCG", "FBetaTopK", "HitRate", "MAP", "MRR"),
            *("PrecisionTopK", "RecallTopK", "PopularityBiasMetric", "Personalization", "Diversity", "Serendipity"),
            *("Novelty", "ItemBias", "UserBias", "RecCasesTable"),
        ),
        f"needs {_LABELS}",
    ),
    **dict.fromkeys(("ColumnCorrelations", "CorrelationMatrix"), f"gives {_TABLE}"),
    **dict.fromkeys(("DatasetCorrelations", "ColumnCorrelationMatrix"), f"gives {_TABLE}"),
    **dict.fromkeys(("TextEvals", "RowTestSummary"), "needs descriptors of texts"),
    "GroupBy": "needs another metric: segments of the monitor do the same",
    "EmbeddingsDrift": "needs vectors, which a window of fields does not have",
}

CLASSES: dict[str, tuple[str, ...]] = {**PRESETS, **METRICS}
