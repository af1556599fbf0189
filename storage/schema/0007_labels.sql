-- Ground truth by prediction id, with every revision: of one (namespace, model, id, name) the newest (time, received)
-- counts. `model` is '' where nobody said it: then the label is of any model of the namespace that has the id. Without
-- partitions, since a call may bring labels of many months; the same label sent again collapses to the one that came
-- first, so that a late resend never replaces a correction.
CREATE TABLE IF NOT EXISTS labels
(
    namespace LowCardinality(String),
    model LowCardinality(String),
    id String CODEC(ZSTD),
    name LowCardinality(String) DEFAULT '',
    value String,
    num Nullable(Float64),
    source LowCardinality(String),
    time DateTime64(6, 'UTC') CODEC(Delta, ZSTD),
    received DateTime64(6, 'UTC') CODEC(Delta, ZSTD),
    batch UInt64,
    earliness UInt64 MATERIALIZED toUInt64(9223372036854775807 - toUnixTimestamp64Micro(received))
)
ENGINE = ReplacingMergeTree(earliness)
ORDER BY (namespace, model, id, name, time, value, source)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, non_replicated_deduplication_window = 10000,
    min_rows_to_fsync_after_merge = 1, min_compressed_bytes_to_fsync_after_merge = 1;
