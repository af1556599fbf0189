"""ClickHouse inside this process or behind HTTP: SQL in, columns out, and errors that have a meaning."""
