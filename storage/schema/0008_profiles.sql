-- What the predictions of a minute are, field by field, in states that merge: docs/profiles.md. Made anew from
-- `predictions` whenever rows of the minute come, under a higher revision; of a (namespace, model, start) only the states
-- of the newest revision count. The states with an empty role are of whole rows and are written last: a revision that has
-- them is whole. `values` without `counts` stand for equal shares of `rows`.
-- Rows may be gone when a state is needed again, so it is as durable as they are. `content` says what a revision is made
-- of: a hash of the minute's rows, or of the revisions below.
CREATE TABLE IF NOT EXISTS profiles_minute
(
    namespace LowCardinality(String),
    model LowCardinality(String),
    start DateTime('UTC'),
    revision UInt64,
    version LowCardinality(String),
    segment String,
    role LowCardinality(String),
    kind LowCardinality(String),
    field LowCardinality(String),
    weight Float64,
    rows UInt64,
    missing UInt64,
    different UInt64,
    mean Float64,
    variance Float64,
    min Float64,
    max Float64,
    values Array(Float64),
    categories Array(String),
    counts Array(UInt32),
    rest UInt64,
    error Float64,
    content UInt64,
    segments Array(LowCardinality(String)),
    made DateTime('UTC') DEFAULT now()
)
ENGINE = ReplacingMergeTree(revision)
PARTITION BY toDate(start)
ORDER BY (namespace, model, start, version, segment, role, kind, field, weight)
SETTINGS ttl_only_drop_parts = 1, fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1,
    min_compressed_bytes_to_fsync_after_merge = 1, non_replicated_deduplication_window = 0;

CREATE TABLE IF NOT EXISTS profiles_hour
(
    namespace LowCardinality(String),
    model LowCardinality(String),
    start DateTime('UTC'),
    revision UInt64,
    version LowCardinality(String),
    segment String,
    role LowCardinality(String),
    kind LowCardinality(String),
    field LowCardinality(String),
    weight Float64,
    rows UInt64,
    missing UInt64,
    different UInt64,
    mean Float64,
    variance Float64,
    min Float64,
    max Float64,
    values Array(Float64),
    categories Array(String),
    counts Array(Float64),
    rest UInt64,
    error Float64,
    content UInt64,
    segments Array(LowCardinality(String)),
    made DateTime('UTC') DEFAULT now()
)
ENGINE = ReplacingMergeTree(revision)
PARTITION BY toYYYYMM(start)
ORDER BY (namespace, model, start, version, segment, role, kind, field, weight)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1,
    min_compressed_bytes_to_fsync_after_merge = 1, non_replicated_deduplication_window = 0;

CREATE TABLE IF NOT EXISTS profiles_day AS profiles_hour
ENGINE = ReplacingMergeTree(revision)
PARTITION BY toYear(start)
ORDER BY (namespace, model, start, version, segment, role, kind, field, weight)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1,
    min_compressed_bytes_to_fsync_after_merge = 1, non_replicated_deduplication_window = 0;

-- All of them, for people; older revisions that no merge has taken away yet included.
CREATE VIEW IF NOT EXISTS profiles AS
SELECT 'minute' AS grain, * FROM profiles_minute
UNION ALL SELECT 'hour' AS grain, * FROM profiles_hour
UNION ALL SELECT 'day' AS grain, * FROM profiles_day;

-- How far each partition of `predictions` is in the profiles: the rows of all its parts up to a block number are.
-- `predictions` is the table's own identity: one made anew counts its blocks from 1 again.
CREATE TABLE IF NOT EXISTS profile_progress
(
    partition String,
    predictions String,
    block UInt64,
    changed DateTime64(6, 'UTC') DEFAULT now64(6)
)
ENGINE = ReplacingMergeTree(changed)
ORDER BY partition
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

-- Reference data sets as distributions, read from their rows once for each content. The line without a field says how
-- many rows there are of each segment (`key`: the tag that the segments are of) and is written last.
CREATE TABLE IF NOT EXISTS reference_profiles
(
    name LowCardinality(String),
    hash String,
    key LowCardinality(String),
    segment String,
    kind LowCardinality(String),
    field String,
    rows UInt64,
    weighted UInt8,
    weight Float64,
    weight_squares Float64,
    missing Float64,
    effective_rows Float64,
    values Array(Float64),
    categories Array(String),
    counts Array(Float64),
    squares Array(Float64),
    error Float64
)
ENGINE = ReplacingMergeTree
ORDER BY (name, hash, key, segment, kind, field)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

-- A window whose rows came late is run again: `revision` counts, and `states` is the newest revision of the minutes that
-- the run was made of.
ALTER TABLE runs
    ADD COLUMN IF NOT EXISTS revision UInt32,
    MODIFY ORDER BY (monitor, window_end, window_start, revision);

ALTER TABLE runs ADD COLUMN IF NOT EXISTS states UInt64;
