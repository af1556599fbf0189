-- Every table of the main job. Times are UTC. Delivery tables fsync each insert (fsync_after_insert), so that what the
-- store acknowledged survives power loss. non_replicated_deduplication_window makes insert tokens work.

-- Maps stay in their basic form. With map_serialization_version = 'with_buckets' one field of 1000 reads in 8 ms instead
-- of 118, but under FINAL, as every read is, in 900 ms instead of 116, and merges take three times as long.
CREATE TABLE IF NOT EXISTS predictions
(
    time DateTime64(6, 'UTC') CODEC(Delta, ZSTD),
    received DateTime64(6, 'UTC') CODEC(Delta, ZSTD),
    id String CODEC(ZSTD),
    row UInt32,
    content UInt64,
    batch UInt64,
    namespace LowCardinality(String),
    model LowCardinality(String),
    version LowCardinality(String),
    source LowCardinality(String),
    status UInt16,
    error String,
    latency Float64,
    trace_id String,
    tags Map(LowCardinality(String), String),
    weight Float64 DEFAULT 1,
    inputs_num Map(LowCardinality(String), Float64),
    inputs_cat Map(LowCardinality(String), String),
    inputs_vec Map(LowCardinality(String), Array(Float32)),
    outputs_num Map(LowCardinality(String), Float64),
    outputs_cat Map(LowCardinality(String), String),
    outputs_vec Map(LowCardinality(String), Array(Float32)),
    INDEX by_id id TYPE bloom_filter(0.001) GRANULARITY 1,
    -- Row-count windows ask for what came after a moment: 9 ms instead of 110 ms among 2 M rows.
    INDEX by_received received TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree(received)
PARTITION BY toDate(time)
ORDER BY (namespace, model, time, id, content)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, non_replicated_deduplication_window = 10000;

-- A request or a response whose other half has not come: `body` and `headers` as received. `done` = 1 when it came.
CREATE TABLE IF NOT EXISTS halves
(
    namespace LowCardinality(String),
    model LowCardinality(String),
    request_id String,
    kind LowCardinality(String),
    time DateTime64(6, 'UTC'),
    received DateTime64(6, 'UTC'),
    source LowCardinality(String),
    status UInt16,
    error String,
    latency Float64,
    trace_id String,
    tags Map(LowCardinality(String), String),
    headers Map(LowCardinality(String), String),
    body String CODEC(ZSTD),
    done UInt8 DEFAULT 0,
    changed DateTime64(6, 'UTC') DEFAULT now64(6)
)
ENGINE = ReplacingMergeTree(changed)
PARTITION BY toDate(received)
ORDER BY (namespace, model, request_id, kind, received)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, non_replicated_deduplication_window = 10000;

CREATE TABLE IF NOT EXISTS dead_letters
(
    received DateTime64(6, 'UTC'),
    source LowCardinality(String),
    reason LowCardinality(String),
    detail String,
    field String,
    namespace LowCardinality(String),
    model LowCardinality(String),
    id String,
    headers Map(LowCardinality(String), String),
    body String CODEC(ZSTD),
    body_bytes UInt64
)
ENGINE = MergeTree
PARTITION BY toDate(received)
ORDER BY (received, reason)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, non_replicated_deduplication_window = 10000;

-- Fields of each model as first seen, and where each sits in the model's own request, for calling it again.
CREATE TABLE IF NOT EXISTS models
(
    namespace LowCardinality(String),
    model LowCardinality(String),
    version LowCardinality(String),
    field String,
    role LowCardinality(String),
    kind LowCardinality(String),
    tensor String,
    position UInt32,
    width UInt32,
    datatype LowCardinality(String),
    first_seen DateTime64(6, 'UTC') DEFAULT now64(6)
)
ENGINE = ReplacingMergeTree(first_seen)
ORDER BY (namespace, model, version, role, field);

-- Named reference data sets, row by row; `hash` is of the content, so a changed file is another version.
CREATE TABLE IF NOT EXISTS references
(
    name LowCardinality(String),
    hash String,
    row UInt64,
    weight Float64 DEFAULT 1,
    num Map(LowCardinality(String), Float64),
    cat Map(LowCardinality(String), String),
    tags Map(LowCardinality(String), String)
)
ENGINE = ReplacingMergeTree
ORDER BY (name, hash, row);

CREATE TABLE IF NOT EXISTS reference_versions
(
    name LowCardinality(String),
    hash String,
    rows UInt64,
    origin String,
    added DateTime64(6, 'UTC') DEFAULT now64(6)
)
ENGINE = ReplacingMergeTree(added)
ORDER BY (name, hash);

CREATE TABLE IF NOT EXISTS scores
(
    namespace LowCardinality(String),
    model LowCardinality(String),
    id String,
    monitor LowCardinality(String),
    step LowCardinality(String),
    run String,
    score Float64,
    threshold Float64,
    time DateTime64(6, 'UTC') DEFAULT now64(6)
)
ENGINE = ReplacingMergeTree(time)
ORDER BY (namespace, model, id, monitor, step);

-- What steps found. The same window run again replaces its rows; `threshold` and `score` are Null when undecidable.
CREATE TABLE IF NOT EXISTS results
(
    run String,
    revision UInt32,
    kind LowCardinality(String),
    monitor LowCardinality(String),
    step LowCardinality(String),
    namespace LowCardinality(String),
    model LowCardinality(String),
    version LowCardinality(String),
    segment String,
    field String,
    window_start DateTime64(6, 'UTC'),
    window_end DateTime64(6, 'UTC'),
    score Nullable(Float64),
    threshold Nullable(Float64),
    fired UInt8,
    p_value Nullable(Float64),
    effect Nullable(Float64),
    reference_rows UInt64,
    window_rows UInt64,
    reason String,
    computed DateTime64(6, 'UTC') DEFAULT now64(6)
)
ENGINE = ReplacingMergeTree(computed)
PARTITION BY toYYYYMM(window_end)
ORDER BY (monitor, window_end, window_start, step, version, segment, field, revision);

-- Row-count windows keep their first and last row in the order of (received, id); a time window has no ids there.
CREATE TABLE IF NOT EXISTS runs
(
    id String,
    monitor LowCardinality(String),
    namespace LowCardinality(String),
    model LowCardinality(String),
    window_start DateTime64(6, 'UTC'),
    window_end DateTime64(6, 'UTC'),
    first_received DateTime64(6, 'UTC'),
    first_id String,
    last_received DateTime64(6, 'UTC'),
    last_id String,
    status LowCardinality(String),
    started DateTime64(6, 'UTC'),
    finished DateTime64(6, 'UTC'),
    rows UInt64,
    reference String,
    reason String,
    versions Map(String, String)
)
ENGINE = ReplacingMergeTree(finished)
PARTITION BY toYYYYMM(window_end)
ORDER BY (monitor, window_end, window_start);

-- Monitors that never ran yet begin with the first window that ends after they were first seen.
CREATE TABLE IF NOT EXISTS monitors
(
    name String,
    first_seen DateTime64(6, 'UTC')
)
ENGINE = MergeTree
ORDER BY (name, first_seen);

CREATE TABLE IF NOT EXISTS explanations
(
    namespace LowCardinality(String),
    model LowCardinality(String),
    id String,
    version LowCardinality(String),
    explainer LowCardinality(String),
    output String,
    prediction Float64,
    baseline Float64,
    values Map(String, Float64),
    errors Map(String, Float64),
    model_calls UInt32,
    monitor LowCardinality(String),
    run String,
    time DateTime64(6, 'UTC') DEFAULT now64(6)
)
ENGINE = ReplacingMergeTree(time)
ORDER BY (namespace, model, id, explainer, output);
