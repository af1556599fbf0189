-- What became of everything each collector received, at its newest count: contract section 3. `collector` is its log.
CREATE TABLE IF NOT EXISTS ledger
(
    collector String,
    tap LowCardinality(String),
    namespace LowCardinality(String),
    model LowCardinality(String),
    unit LowCardinality(String),
    counts Map(LowCardinality(String), Int64),
    difference Int64,
    time DateTime64(6, 'UTC') DEFAULT now64(6)
)
ENGINE = ReplacingMergeTree(time)
ORDER BY (collector, tap, namespace, model, unit)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;
