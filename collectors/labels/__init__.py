"""Labels: the truth about predictions, which comes late, early, corrected, or with the predictions themselves."""

import pyarrow as pa

from collectors.accounting.ledger import Line, Tally, tally

TAP = "labels"
ANY_MODEL = "*"  # in the ledger: of labels that do not say which model they are of


def label_line(namespace: str, model: str) -> Line:
    return Line(TAP, namespace, model or ANY_MODEL)


def labels_of(batch: pa.RecordBatch) -> Tally:
    """How many labels of a batch of the schema LABELS belong to each line of the ledger."""
    group = ["namespace", "model"]
    found = pa.table({name: batch.column(name) for name in group}).group_by(group).aggregate([([], "count_all")])
    columns = [found.column(name).to_pylist() for name in (*group, "count_all")]
    return tally((label_line(namespace, model), count) for namespace, model, count in zip(*columns, strict=True))
