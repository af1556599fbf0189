"""Rules on what comes in and is stored; the same for every configuration.

The limits are where a person should look, not where data is lost: senders notice nothing until the log is full.
"""

from datetime import timedelta

from alerts.promql import grown, selector
from alerts.rule import Rule

# Prometheus must scrape Tidemark under this job name for TidemarkDown to see it.
JOB = "tidemark"

# Silent for ten minutes though the day before it averaged one prediction a minute.
_INGEST_STOPPED = (
    "time() - max by (namespace, model) (max_over_time(tidemark_last_received_timestamp_seconds[1d])) > 600"
    " and on (namespace, model) sum by (namespace, model) (increase(tidemark_predictions_stored_total[1d])) > 1440"
)
_SHED = grown(selector("tidemark_events_total", outcome="shed"), "5m")
_DEAD_LETTERS = grown("tidemark_dead_letters_total", "10m")
_REFUSED_CALLS = grown("tidemark_refused_calls_total", "10m")
_LOG_USED = "max by (instance) (tidemark_log_bytes / tidemark_log_limit_bytes)"
_FAILED_RUNS = grown(selector("tidemark_runs_total", status="failed"), "1h")
_MODEL = "{{ $labels.namespace }}/{{ $labels.model }}"

DELIVERY = (
    Rule(
        "TidemarkDown",
        f'up{{job="{JOB}"}} == 0',
        "page",
        "{{ $labels.instance }} cannot be scraped",
        "What this process collects, stores or monitors is not done, and its metrics are missing.",
        timedelta(minutes=1),
    ),
    Rule(
        "TidemarkIngestStopped",
        _INGEST_STOPPED,
        "ticket",
        f"No prediction of {_MODEL} for {{{{ $value | humanizeDuration }}}}",
        "The model used to send at least one prediction a minute: its server, its logger or the tap has stopped.",
    ),
    Rule(
        "TidemarkStoreBehind",
        "max by (instance) (tidemark_ingest_lag_seconds) > 30",
        "page",
        "Predictions have waited {{ $value | humanizeDuration }} to be stored",
        "The store is away or takes less than comes in. What waits is in the write-ahead log, nothing is lost yet.",
        timedelta(minutes=2),
    ),
    Rule(
        "TidemarkLogFilling",
        f"{_LOG_USED} > 0.5",
        "page",
        "The write-ahead log is {{ $value | humanizePercentage }} full",
        "More than half of wal.bytes waits for the store: those who send most get 503 now, everybody when it is full.",
        timedelta(minutes=5),
    ),
    Rule(
        "TidemarkLogDamaged",
        "max by (instance) (tidemark_log_damaged_bytes) > 0",
        "page",
        "{{ $value | humanize1024 }}B of the write-ahead log cannot be read",
        "Events in them were acknowledged and may be lost; the bytes are kept in the log's quarantine.",
    ),
    Rule(
        "TidemarkLedgerDifference",
        "max by (instance, unit) (tidemark_ledger_difference) != 0",
        "page",
        "{{ $value | humanize }} {{ $labels.unit }}s are neither stored nor accounted for",
        "What was received and what became of it differ: something was lost or stored twice. /api/ledger says where.",
        timedelta(minutes=2),
    ),
    Rule(
        "TidemarkEventsShed",
        f"sum by (tap) ({_SHED}) > 0",
        "page",
        "{{ $value | humanize }} events at tap {{ $labels.tap }} were not accepted",
        "The log is full, its disk is, or too many called at once; who does not send again has lost these predictions.",
    ),
    Rule(
        "TidemarkCallsRefused",
        f"sum by (reason) ({_REFUSED_CALLS}) > 10",
        "ticket",
        "{{ $value | humanize }} calls were refused: {{ $labels.reason }}",
        "A sender's token is wrong or missing, or a limit is too low. What these calls carried is not stored.",
    ),
    Rule(
        "TidemarkDeadLetters",
        f"sum by (reason) ({_DEAD_LETTERS}) > 10",
        "ticket",
        "{{ $value | humanize }} payloads could not be read: {{ $labels.reason }}",
        "The predictions in them are not stored. They are kept with their bytes; mend the cause, then replay them.",
    ),
    Rule(
        "TidemarkRunsFailing",
        f"sum by (namespace, model, monitor) ({_FAILED_RUNS}) > 0",
        "ticket",
        "Monitor {{ $labels.monitor }} failed on {{ $value | humanize }} window(s) in the last hour",
        "The windows are recorded in the table runs with the reason; the failed steps found nothing in them.",
    ),
)
