-- What replaying a dead letter takes, and what came of it. A letter of an earlier version has no name of its own: it is
-- named by its content, so that it keeps that name.
ALTER TABLE dead_letters
    ADD COLUMN IF NOT EXISTS letter String
    DEFAULT lower(hex(sipHash128(received, source, reason, detail, field, id, body)));

-- How many accepted rows it stands for: none for what was refused at once.
ALTER TABLE dead_letters ADD COLUMN IF NOT EXISTS rows UInt64;

-- The call it came in, with its query.
ALTER TABLE dead_letters ADD COLUMN IF NOT EXISTS path String;

ALTER TABLE dead_letters ADD INDEX IF NOT EXISTS by_letter letter TYPE bloom_filter(0.001) GRANULARITY 1;

-- Each attempt to replay a letter; one that was `stored` settles it. `rows` are the letter's, for the ledger.
CREATE TABLE IF NOT EXISTS dead_letter_replays
(
    letter String,
    time DateTime64(6, 'UTC'),
    who String,
    outcome LowCardinality(String),
    reason LowCardinality(String),
    detail String,
    rows UInt64
)
ENGINE = ReplacingMergeTree
ORDER BY (letter, time, who)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, non_replicated_deduplication_window = 10000;
