"""What collectors bring: stored once in effect, from the log to the tables."""
