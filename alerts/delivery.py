"""Rules on what comes in and is stored; the same for every configuration.

The limits are where a person should look, not where data is lost: senders notice nothing until the spool is full.
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
        "The store takes less than comes in; when the spool is full, senders get 503 and predictions are lost.",
        timedelta(minutes=2),
    ),
    Rule(
        "TidemarkEventsShed",
        f"sum by (tap) ({_SHED}) > 0",
        "page",
        "{{ $value | humanize }} events at tap {{ $labels.tap }} were not accepted",
        "The spool is full; senders that do not try again have lost these predictions.",
    ),
    Rule(
        "TidemarkDeadLetters",
        f"sum by (reason) ({_DEAD_LETTERS}) > 10",
        "ticket",
        "{{ $value | humanize }} payloads could not be read: {{ $labels.reason }}",
        "They are kept in the table dead_letters with their bytes; the predictions in them are not stored.",
    ),
    Rule(
        "TidemarkRunsFailing",
        f"sum by (namespace, model, monitor) ({_FAILED_RUNS}) > 0",
        "ticket",
        "Monitor {{ $labels.monitor }} failed on {{ $value | humanize }} window(s) in the last hour",
        "The windows are recorded in the table runs with the reason; the failed steps found nothing in them.",
    ),
)
