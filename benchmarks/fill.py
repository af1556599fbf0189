"""Fill a store with predictions made in SQL: `python -m benchmarks.fill FOLDER ROWS DAYS`; ids are md5(row)."""

import sys

from storage import open_engine
from storage.migrate import migrate

FILL = """
INSERT INTO predictions
    (time, received, id, namespace, model, version, status, latency, weight, inputs_num, outputs_num)
SELECT now64(6) - toIntervalDay(1) - toIntervalMicrosecond(intDiv(number * {days:UInt64} * 86400000000, {rows:UInt64})),
    now64(6), lower(hex(MD5(toString(number)))), 'default', 'income', '1', 200, nan, 1,
    mapFromArrays(
        arrayMap(i -> concat('f', toString(i)), range(12)), arrayMap(i -> randNormal(0, 1, number + i), range(12))
    ),
    map('p', randUniform(0, 1))
FROM numbers({first:UInt64}, {count:UInt64})
"""
BATCH_ROWS = 1_000_000


def main() -> None:
    url, rows, days = f"chdb://{sys.argv[1]}", int(sys.argv[2]), int(sys.argv[3])
    engine = open_engine(url)
    migrate(engine)
    for first in range(0, rows, BATCH_ROWS):
        count = min(BATCH_ROWS, rows - first)
        engine.command(FILL, {"days": days, "rows": rows, "first": first, "count": count})
    engine.close()


if __name__ == "__main__":
    main()
