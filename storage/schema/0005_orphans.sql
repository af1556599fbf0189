-- Which collector kept a half, by the identity of its log: after a restart it looks after those it has left there.
ALTER TABLE halves ADD COLUMN IF NOT EXISTS collector LowCardinality(String);
