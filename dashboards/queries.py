"""What the model monitoring dashboard asks ClickHouse, in its SQL and the macros of the Grafana plugin.

`predictions` is read with FINAL, so that what was sent twice counts once, and always within the dashboard's time range.
Every statistic over predictions is weighted: a sampled row stands for 1 / probability rows.
"""

_MODEL = "namespace = ${namespace:singlequote} AND model = ${model:singlequote}"
_MONITOR = "$__conditionalAll(monitor IN (${monitor:singlequote}), $monitor)"
_FAILED = "(status >= 400 OR error != '')"
_PREDICTIONS = f"tidemark.predictions FINAL WHERE $__timeFilter(time) AND {_MODEL}"
_SERIES = "concat(monitor, ' ', step, ' ', field, if(segment = '', '', concat(' [', segment, ']')))"

# A window revised for late rows has several results: the newest revision counts.
_RESULTS = f"""SELECT * FROM tidemark.results FINAL
  WHERE $__timeFilter(window_end) AND {_MODEL} AND {_MONITOR}
  ORDER BY revision DESC LIMIT 1 BY monitor, step, version, segment, field, window_start, window_end"""

NAMESPACES = "SELECT DISTINCT namespace FROM tidemark.models ORDER BY namespace"

MODELS = "SELECT DISTINCT model FROM tidemark.models WHERE namespace = ${namespace:singlequote} ORDER BY model"

MONITORS = f"SELECT DISTINCT monitor FROM tidemark.runs WHERE {_MODEL} ORDER BY monitor"

TRAFFIC_BY_VERSION = f"""SELECT $__timeInterval(time) AS bucket,
  if(version = '', 'no version', version) AS series,
  sum(weight) / $__interval_s AS predictions
FROM {_PREDICTIONS}
GROUP BY bucket, series
ORDER BY bucket"""

FAILED_SHARE = f"""SELECT $__timeInterval(time) AS bucket, sumIf(weight, {_FAILED}) / sum(weight) AS failed
FROM {_PREDICTIONS}
GROUP BY bucket
ORDER BY bucket"""

DRIFT_BY_FIELD = f"""WITH newest AS (
  {_RESULTS}
)
SELECT window_end AS bucket, {_SERIES} AS series, max(score / threshold) AS drift
FROM newest
WHERE kind = 'drift' AND threshold > 0 AND (monitor, step, segment, field) IN (
  SELECT monitor, step, segment, field FROM newest WHERE kind = 'drift' AND threshold > 0
  GROUP BY monitor, step, segment, field ORDER BY max(score / threshold) DESC LIMIT 20
)
GROUP BY bucket, series
ORDER BY bucket"""

NEWEST_BY_FIELD = f"""SELECT monitor, step, version, segment, field, score, threshold, score / threshold AS ratio,
  p_value, effect, reference_rows, window_rows, reason, window_end
FROM (
  SELECT * FROM tidemark.results FINAL
  WHERE $__timeFilter(window_end) AND {_MODEL} AND {_MONITOR} AND kind IN ('drift', 'schema')
  ORDER BY window_end DESC, revision DESC LIMIT 1 BY monitor, step, version, segment, field
)
ORDER BY ratio DESC NULLS LAST, field
LIMIT 200"""

OUTLIER_SHARE = f"""SELECT window_end AS bucket,
  concat(monitor, ' ', step, if(segment = '', '', concat(' [', segment, ']'))) AS series,
  max(score) AS share, max(threshold) AS allowed
FROM (
  {_RESULTS}
)
WHERE kind = 'outlier'
GROUP BY bucket, series
ORDER BY bucket"""

HIGHEST_SCORES = f"""WITH highest AS (
  SELECT id, monitor, step, score, threshold FROM tidemark.scores FINAL
  WHERE $__timeFilter(time) AND {_MODEL} AND {_MONITOR}
  ORDER BY score / threshold DESC LIMIT 50
)
SELECT nullIf(p.time, toDateTime64(0, 6)) AS time, h.id AS id, h.monitor AS monitor, h.step AS step, h.score AS score,
  h.threshold AS threshold, p.version AS version, toString(p.inputs_num) AS numbers,
  toString(p.inputs_cat) AS categories, toString(p.outputs_num) AS outputs
FROM highest AS h
LEFT JOIN (
  SELECT * FROM {_PREDICTIONS} AND id IN (SELECT id FROM highest)
) AS p ON p.id = h.id
ORDER BY h.score / h.threshold DESC"""

EXPLAINED = f"""SELECT time, id, version, explainer, output, prediction, baseline,
  arrayStringConcat(arrayMap(
    c -> concat(c.1, ' ', toString(round(c.2, 4))),
    arraySlice(arraySort(c -> -abs(c.2), arrayZip(mapKeys(values), mapValues(values))), 1, 5)
  ), ', ') AS contributions
FROM tidemark.explanations FINAL
WHERE $__timeFilter(time) AND {_MODEL} AND (monitor = '' OR {_MONITOR})
ORDER BY time DESC
LIMIT 50"""

FINDINGS = f"""SELECT window_end, monitor, step, kind, if(fired, 'fired', 'undecided') AS verdict, segment, field,
  score, threshold, p_value, effect, window_rows, reason, run
FROM (
  {_RESULTS}
)
WHERE fired OR score IS NULL
ORDER BY window_end DESC, score / threshold DESC NULLS LAST
LIMIT 200"""

RUNS = f"""SELECT window_end, monitor, status, rows, finished - started AS seconds, reference, reason, id AS run
FROM tidemark.runs FINAL
WHERE $__timeFilter(window_end) AND {_MODEL} AND {_MONITOR}
ORDER BY window_end DESC
LIMIT 100"""

FAILED_INFERENCES = f"""SELECT time, id, version, source, status, error, latency, trace_id
FROM {_PREDICTIONS} AND {_FAILED}
ORDER BY time DESC
LIMIT 100"""

_WORDS = ("accepted", "stored", "duplicate", "conflict", "sampled", "dead_lettered", "orphans", "in_flight")
_COUNTS = ", ".join(f"counts['{word}'] AS {word}" for word in _WORDS)
LEDGER = f"""SELECT time, left(collector, 8) AS collector, tap,
  {_COUNTS}, difference
FROM tidemark.ledger FINAL
WHERE $__timeFilter(time) AND {_MODEL} AND unit = 'row'
ORDER BY tap, collector"""
