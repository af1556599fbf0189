"""Figures, each a ratio between two things measured in one run on one machine: `python -m benchmarks [NAME …]`.

A new benchmark is a file with `run() -> list[Row]` and a line in `__main__.BENCHMARKS`.
"""
