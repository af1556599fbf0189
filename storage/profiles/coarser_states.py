"""One state of an hour or a day from those of the minutes or hours in it."""

from typing import Any

import numpy as np

from storage.profiles.grains import CATEGORY_BYTES, MOST_CATEGORIES, Grain
from storage.profiles.merge import Moments, added, merged, moments, most_frequent, order_statistics
from storage.profiles.states import Group, States

KEYS = ("version", "segment", "role", "kind", "field")

State = dict[str, Any]  # by column


def coarser_state(found: States, group: Group, grain: Grain) -> State:
    """The columns of one state of `grain`; the key of `group` is its start, KEYS and the weight."""
    rows, errors = (found.column(name, group).astype(np.float64) for name in ("rows", "error"))
    _, *key, weight = group.key
    state: State = {
        **dict(zip(KEYS, key, strict=True)),
        "weight": weight,
        "rows": int(rows.sum()),
        "missing": int(found.column("missing", group).sum()),
        "different": int(found.column("different", group).max()),
        **dict.fromkeys(("mean", "variance", "min", "max"), np.nan),
        **dict.fromkeys(("values", "categories", "counts"), ()),
        "rest": 0,
        "error": float(errors @ rows / rows.sum()),
    }
    return _categories(state, found, group, grain) if state["kind"] == "cat" else _numbers(state, found, group, grain)


def _numbers(state: State, found: States, group: Group, grain: Grain) -> State:
    values, counts, _ = found.numbers(group)
    known = merged(values, counts)
    kept, each = order_statistics(known, grain.values)
    names = ("rows", "mean", "variance", "min", "max")
    columns = zip(*(found.column(name, group).tolist() for name in names), strict=True)
    together = moments([Moments(*numbers) for numbers in columns])
    return {
        **state,
        "mean": together.mean,
        "variance": together.variance,
        "min": together.low,
        "max": together.high,
        "different": max(state["different"], len(known.values)),
        "values": kept,
        "counts": () if each is None else each,
        "error": state["error"] + (grain.error if each is None else 0.0),
    }


def _categories(state: State, found: States, group: Group, grain: Grain) -> State:
    counts = added((name, count) for name, count, _ in found.categories(group))
    kept = most_frequent(counts, MOST_CATEGORIES[grain], CATEGORY_BYTES[grain])
    each = [counts[name] for name in kept]
    rest = state["rows"] - int(sum(each))
    different = max(state["different"], len(counts))
    return {
        **state,
        "different": different,
        "categories": kept,
        "counts": each,
        "rest": rest,
        "error": rest / state["rows"],
    }
