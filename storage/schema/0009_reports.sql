-- HTML reports that a step's library wrote, by run. `parts` are hashes of long stretches that every report repeats and
-- that are stored once; in `html` the n-th of them is where a NUL, n and a NUL are.
CREATE TABLE IF NOT EXISTS reports
(
    run String,
    step LowCardinality(String),
    version LowCardinality(String),
    namespace LowCardinality(String),
    html String CODEC(ZSTD(3)),
    parts Array(String),
    time DateTime64(6, 'UTC') DEFAULT now64(6)
)
ENGINE = ReplacingMergeTree(time)
ORDER BY (run, step, version);

CREATE TABLE IF NOT EXISTS report_parts
(
    hash String,
    text String CODEC(ZSTD(3))
)
ENGINE = ReplacingMergeTree
ORDER BY hash;
