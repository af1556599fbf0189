"""What monitors read: windows and references as distributions, rows, tables and series."""
