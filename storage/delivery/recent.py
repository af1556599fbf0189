"""What was stored last, so that a collector that starts knows what senders may send again."""

import pyarrow as pa

from storage.engine import Engine

WITHIN_SECONDS = 600  # of the newest row


def newest(engine: Engine, rows: int) -> pa.Table:
    """namespace, model, id, content and received of the predictions received last; at most so many."""
    (found,) = engine.rows("SELECT toUnixTimestamp64Micro(max(received)) AS newest FROM predictions")
    return engine.arrow(
        "SELECT toString(namespace) AS namespace, toString(model) AS model, id, content, received FROM predictions "
        "WHERE received > fromUnixTimestamp64Micro({since:Int64}) ORDER BY received DESC LIMIT {rows:UInt64}",
        {"since": found["newest"] - WITHIN_SECONDS * 1_000_000, "rows": rows},
    )
