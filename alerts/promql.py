"""The pieces of PromQL that the rules are put together from."""

import re
from collections.abc import Iterable
from datetime import timedelta

_UNITS_MS = {"d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1000, "ms": 1}


def selector(metric: str, **labels: str) -> str:
    """`metric{label="value"}`; values are taken literally."""
    return f"{metric}{{{matchers(**labels)}}}"


def matchers(**labels: str) -> str:
    return ",".join(f"{name}={quoted(value)}" for name, value in labels.items())


def quoted(text: str) -> str:
    """`text` as a PromQL string."""
    return '"' + text.replace("\\", r"\\").replace('"', r"\"") + '"'


def any_of(values: Iterable[str]) -> str:
    """A PromQL string whose regular expression matches exactly these values."""
    return quoted("|".join(re.escape(value).replace(r"\-", "-") for value in values))


def span(length: timedelta) -> str:
    """`10m`: a Prometheus duration in the largest unit that keeps it whole; under a millisecond is `0s`."""
    ms = length // timedelta(milliseconds=1)
    return next((f"{ms // size}{unit}" for unit, size in _UNITS_MS.items() if ms and ms % size == 0), "0s")


def grown(series: str, over: str) -> str:
    """How much each counter of `series` grew within `over`; to be put in parentheses.

    A counter that appeared within `over` counts with its whole value: `increase` sees it only from its first sample on,
    so the one that appears with the trouble it counts would be taken for quiet.
    """
    return f"{series} unless {series} offset {over} or increase({series}[{over}])"
