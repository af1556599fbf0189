-- What sequential detectors remember after each window, as JSON: the next one goes on from there, and a window that comes
-- again begins where it began before. `configuration` tells other options and another reference apart, which begin anew.
-- States of long ago are of no use; a month is longer than any window waits to be looked at again.
CREATE TABLE IF NOT EXISTS detector_states
(
    monitor LowCardinality(String),
    step LowCardinality(String),
    configuration String,
    version LowCardinality(String),
    field String,
    window_end DateTime64(6, 'UTC'),
    state String CODEC(ZSTD),
    computed DateTime64(6, 'UTC') DEFAULT now64(6)
)
ENGINE = ReplacingMergeTree(computed)
ORDER BY (monitor, step, configuration, version, field, window_end)
TTL toDateTime(computed) + INTERVAL 1 MONTH;
