-- What makes a result one to be trusted: how sure its effect is, what it could have shown, what it was computed from,
-- which false-alarm probability it was allowed, and how far it explains the alarm.
ALTER TABLE results
    ADD COLUMN IF NOT EXISTS interval_low Nullable(Float64),
    ADD COLUMN IF NOT EXISTS interval_high Nullable(Float64),
    ADD COLUMN IF NOT EXISTS detectable Nullable(Float64),
    ADD COLUMN IF NOT EXISTS basis LowCardinality(String) DEFAULT 'rows',
    ADD COLUMN IF NOT EXISTS error_bound Float64,
    ADD COLUMN IF NOT EXISTS alpha Nullable(Float64),
    ADD COLUMN IF NOT EXISTS calibration LowCardinality(String),
    ADD COLUMN IF NOT EXISTS rank UInt32;
