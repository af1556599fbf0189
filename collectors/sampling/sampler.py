"""Which predictions are stored where the configuration keeps a share of them only, and how many each stands for.

A row is kept when the number of its request (`uniform`) is below the share of the first rule that it matches, whatever
the collector, and again when it is sent again. What a lower share keeps a higher one keeps too. All rows of a request
share the number: the request is found by its id with all its rows, or not at all, as far as its rows match the same
rule.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from collectors.sampling.uniform import uniform
from core.config import Config, model_key
from core.config.sampling import SampleRule, When, is_error, rules
from core.distribution import Floats
from core.records import PREDICTIONS, ModelKey

_WEIGHT = PREDICTIONS.get_field_index("weight")
# What counting needs to know of a row: its maps, which are most of it, are not copied.
_COUNTED = ("received", "namespace", "model", "version", "source", "status", "latency")

Bools = NDArray[np.bool_]


class Sampled(NamedTuple):
    """`kept` has the schema PREDICTIONS; `dropped` has the columns by which the rows left out are counted."""

    kept: pa.RecordBatch
    dropped: pa.RecordBatch


class Sampling:
    """Errors (status 0 or from 400, or an error text) are kept whatever the rules say, and stand for themselves."""

    def __init__(self, config: Config) -> None:
        declared = {model_key(name, model.namespace): rules(model.sample) for name, model in config.models.items()}
        self._rules = {model: listed for model, listed in declared.items() if any(rule.keep < 1 for rule in listed)}

    def kept(self, batch: pa.RecordBatch) -> Sampled:
        """`batch`, of the schema PREDICTIONS, without the rows sampled away; the weights of others grow for them."""
        chosen, shares = np.ones(len(batch), np.bool_), np.ones(len(batch))
        for model, rows in self._sampled(batch) if self._rules else ():
            part = batch if rows is None else batch.take(pa.array(rows))
            at = slice(None) if rows is None else rows
            shares[at] = _shares(part, self._rules[model])
            chosen[at] = uniform(model, part) < shares[at]
        dropped = batch.select(_COUNTED)
        if (shares == 1).all():
            return Sampled(batch, dropped.slice(0, 0))
        weights = pa.array(batch.column("weight").to_numpy() / shares)
        weighted = batch.set_column(_WEIGHT, PREDICTIONS.field("weight"), weights)
        return Sampled(weighted.filter(pa.array(chosen)), dropped.filter(pa.array(~chosen)))

    def _sampled(self, batch: pa.RecordBatch) -> Iterator[tuple[ModelKey, NDArray[np.intp] | None]]:
        """Models of the batch that have rules, each with its rows; None for all of them, as nearly always."""
        namespaces, models = (batch.column(name).dictionary_encode() for name in ("namespace", "model"))
        codes = namespaces.indices.to_numpy().astype(np.int64) * len(models.dictionary) + models.indices.to_numpy()
        for code in np.unique(codes).tolist():
            namespace, model = divmod(code, len(models.dictionary))
            key = ModelKey(namespaces.dictionary[namespace].as_py(), models.dictionary[model].as_py())
            if key in self._rules:
                rows = np.flatnonzero(codes == code)
                yield key, None if len(rows) == len(codes) else rows


def _shares(batch: pa.RecordBatch, listed: Sequence[SampleRule]) -> Floats:
    """The share of rows like this one that is kept, shape (rows,); 1 for errors and for what no rule matches."""
    open_, shares = ~_errors(batch), np.ones(len(batch))
    for rule in listed:
        matched = open_ if rule.when is None else open_ & _matches(batch, rule.when)
        shares[matched] = rule.keep
        open_ &= ~matched
    return shares


def _errors(batch: pa.RecordBatch) -> Bools:
    status = batch.column("status").to_numpy()
    failed = np.array([is_error(code) for code in range(int(status.max(initial=0)) + 1)], np.bool_)
    said = _bools(pc.not_equal(batch.column("error"), "").fill_null(False))
    errors: Bools = failed[status] | said
    return errors


def _matches(batch: pa.RecordBatch, when: When) -> Bools:
    """Rows that have all that `when` names."""
    found = np.ones(len(batch), np.bool_)
    if when.status is not None:
        status = batch.column("status").to_numpy()
        found &= np.logical_or.reduce([(status >= lowest) & (status <= highest) for lowest, highest in when.status])
    if when.latency_over is not None:
        found &= batch.column("latency").to_numpy() > when.latency_over.total_seconds()
    for column, texts in (("version", when.version), ("source", when.source)):
        if texts is not None:
            found &= _bools(pc.is_in(batch.column(column), pa.array(texts)))
    for tag, texts in when.tags.items():
        said = pc.map_lookup(batch.column("tags"), pa.scalar(tag), "first")
        found &= _bools(pc.is_in(said, pa.array(texts)))
    return found


def _bools(mask: pa.BooleanArray) -> Bools:
    return mask.to_numpy(zero_copy_only=False)  # type: ignore[no-any-return]


EVERYTHING = Sampling(Config())
