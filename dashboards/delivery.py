"""Panels on whether what comes in is stored, and what became of what is not."""

from dashboards import queries
from dashboards.panels import Panels, graph, limit_at, rows
from dashboards.sources import Sql, promql

_DEAD = "sum by (reason) (rate(tidemark_dead_letters_total[$__rate_interval]))"
_REFUSED = "sum by (reason) (rate(tidemark_refused_calls_total[$__rate_interval]))"


def delivery() -> Panels:
    return [
        graph(
            "Waiting to be stored",
            "Age of the oldest prediction accepted and not yet stored. A rise means that the store is too slow.",
            "s",
            promql("max by (instance) (tidemark_ingest_lag_seconds)", "{{instance}}"),
        ),
        graph(
            "Write-ahead log",
            "What the log takes on disk, and its limit. A rise means that the store is away or slow: over half of the "
            "limit those who send most are shed, at the limit everybody is. Damaged bytes mean a failing disk.",
            "bytes",
            promql("max by (instance) (tidemark_log_bytes)", "{{instance}}"),
            promql("max by (instance) (tidemark_log_limit_bytes)", "{{instance}} limit", "B"),
            promql("max by (instance) (tidemark_log_damaged_bytes) > 0", "{{instance}} damaged", "C"),
        ),
    ]


def ledger() -> Panels:
    difference = graph(
        "Ledger difference",
        "Events and rows that were received and are neither stored nor accounted for, of all models. Anything but 0 "
        "means that something was lost or stored twice.",
        "short",
        promql("max by (instance, unit) (tidemark_ledger_difference)", "{{instance}} {{unit}}s"),
    )
    return [
        graph(
            "Events by what became of them",
            "Events a second, of all models; together they are what was received. Rejected ones are dead letters; shed "
            "ones are lost unless the sender tries again. A rise of anything but accepted means less is stored.",
            "reqps",
            promql("sum by (tap, outcome) (rate(tidemark_events_total[$__rate_interval]))", "{{tap}} {{outcome}}"),
        ),
        limit_at(difference, 1),
        graph(
            "Dead letters by reason",
            "Letters a second, of all models, kept with their bytes until they are replayed. A rise means a sender "
            "that changed, or a limit that is too low.",
            "reqps",
            promql(_DEAD, "{{reason}}"),
        ),
        graph(
            "Refused calls",
            "Calls a second that no tap took, of all models: without or with a wrong token, over a limit, or too slow. "
            "A rise means predictions that are not stored.",
            "reqps",
            promql(_REFUSED, "{{reason}}"),
        ),
        rows(
            "What became of the rows",
            "The model's lines of every collector's ledger: accepted = stored + duplicate + conflict + sampled + dead "
            "letters + orphans + in flight, and what that misses.",
            Sql(queries.LEDGER),
        ),
    ]
