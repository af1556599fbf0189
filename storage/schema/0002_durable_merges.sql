-- What the log in front of the store has let go of must be on disk here: a merge writes the rows anew and then removes
-- the parts that were fsynced when they were inserted, so merges are fsynced too. Metadata only; it can be run again.
ALTER TABLE predictions MODIFY SETTING
    min_rows_to_fsync_after_merge = 1, min_compressed_bytes_to_fsync_after_merge = 1,
    fsync_after_insert = 1, fsync_part_directory = 1;

ALTER TABLE halves MODIFY SETTING
    min_rows_to_fsync_after_merge = 1, min_compressed_bytes_to_fsync_after_merge = 1,
    fsync_after_insert = 1, fsync_part_directory = 1;

ALTER TABLE dead_letters MODIFY SETTING
    min_rows_to_fsync_after_merge = 1, min_compressed_bytes_to_fsync_after_merge = 1,
    fsync_after_insert = 1, fsync_part_directory = 1;

ALTER TABLE models MODIFY SETTING
    min_rows_to_fsync_after_merge = 1, min_compressed_bytes_to_fsync_after_merge = 1,
    fsync_after_insert = 1, fsync_part_directory = 1;

-- The insert a letter came in, so that a lost answer can be asked for: letters never collapse.
ALTER TABLE dead_letters ADD COLUMN IF NOT EXISTS batch UInt64;
