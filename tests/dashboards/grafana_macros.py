"""What Grafana and its ClickHouse plugin (4.20) do to a query before ClickHouse sees it."""

import re
from dataclasses import dataclass
from datetime import datetime

ALL = "$__all"


@dataclass(frozen=True)
class View:
    """What the reader looks at. `variables` hold one value, or several; [ALL] is the choice "All"."""

    start: datetime
    end: datetime
    interval_seconds: int
    variables: dict[str, str | list[str]]


def expand(sql: str, view: View) -> str:
    """The statement as the plugin sends it: its frontend's macros, then the variables, then its backend's macros."""
    sql = _conditional_all(sql, view)
    sql = re.sub(r"\$\{(\w+):singlequote\}", lambda m: _singlequote(view.variables[m[1]]), sql)
    first, last = int(view.start.timestamp()), int(view.end.timestamp())
    sql = re.sub(r"\$__timeFilter\((\w+)\)", rf"\1 >= toDateTime({first}) AND \1 <= toDateTime({last})", sql)
    sql = re.sub(
        r"\$__timeInterval\((\w+)\)",
        rf"toStartOfInterval(toDateTime(\1), INTERVAL {max(view.interval_seconds, 1)} second)",
        sql,
    )
    sql = sql.replace("$__interval_s", str(max(view.interval_seconds, 1)))
    assert "$" not in sql, f"left as it is: {sql[sql.index('$') :][:40]}"
    return sql


def _conditional_all(sql: str, view: View) -> str:
    """`$__conditionalAll(condition, $variable)`: `1=1` when the variable is empty or All; the last one first."""
    while (start := sql.rfind("$__conditionalAll(")) != -1:
        inside = start + len("$__conditionalAll(")
        end = _closing(sql, inside)
        condition, variable = sql[inside:end].rsplit(",", 1)
        chosen = view.variables[variable.strip().removeprefix("$")]
        everything = chosen in ("", [], ALL, [ALL])
        sql = sql[:start] + ("1=1" if everything else condition) + sql[end + 1 :]
    return sql


def _closing(text: str, start: int) -> int:
    depth = 1
    for place in range(start, len(text)):
        depth += {"(": 1, ")": -1}.get(text[place], 0)
        if depth == 0:
            return place
    raise AssertionError(f"no closing parenthesis after {text[:start]}")


def _singlequote(value: str | list[str]) -> str:
    values = [value] if isinstance(value, str) else value
    return ",".join("'" + v.replace("'", r"\'") + "'" for v in values)
