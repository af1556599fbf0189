"""The embedded engine for other processes, over the ClickHouse HTTP protocol."""
