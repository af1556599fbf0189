"""No-change monitoring by simulation: how often Tidemark, Evidently and alibi-detect call it a change.

`python -m benchmarks.calibration [--quick] [STREAM …]` prints a Markdown table; `docs/alarms.md` holds one.
"""
