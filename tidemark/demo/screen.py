"""The live view of the demo in the terminal."""

from dataclasses import dataclass
from typing import Any

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from tidemark.demo.clinic import Sent
from tidemark.demo.story import State

SHOWN_FIELDS = 10
BAR = 16  # characters of a full bar: a score of twice its threshold


@dataclass(frozen=True)
class Moment:
    """Where the demo is. `shift_in` counts down in seconds; None when there is no shift to come."""

    seconds: float
    shifted: bool
    shift_in: float | None
    rate: float


def view(moment: Moment, sent: Sent, state: State) -> RenderableType:
    parts: list[RenderableType] = [_head(moment, sent, state), _drift(state)]
    if state.explained:
        parts.append(_explained(state.explained))
    return Group(*parts)


def _head(moment: Moment, sent: Sent, state: State) -> Panel:
    population = "[bold red]mostly the largest tumours[/]" if moment.shifted else "[green]as the model was tested on[/]"
    coming = f"   (shift in {moment.shift_in:.0f} s)" if moment.shift_in is not None and not moment.shifted else ""
    lines = [
        f"{moment.seconds:5.0f} s   {moment.rate:5.0f} predictions/s   sent {sent.rows}   stored {state.stored}"
        f"   failed calls {sent.failed}",
        f"input population: {population}{coming}",
        f"newest window: {state.window_end[11:19] or 'not yet'}   {_verdict(state)}",
    ]
    return Panel("\n".join(lines), title="breast-cancer, through the tap of Tidemark", title_align="left")


def _verdict(state: State) -> str:
    if state.failed_run:
        return f"[bold red]the run failed: {state.failed_run}[/]"
    if not state.newest:
        return ""
    fired = [r for r in state.newest if r["fired"]]
    return f"[bold red]{len(fired)} findings fired[/]" if fired else "[green]nothing fired[/]"


def _drift(state: State) -> Table:
    """The fields furthest beyond their thresholds, and the outliers."""
    table = Table(box=None, header_style="dim", pad_edge=False)
    for name in ("step", "field", "score", "threshold", ""):
        table.add_column(name, justify="right" if name in ("score", "threshold") else "left", no_wrap=True)
    scored = [r for r in state.newest if r["score"] is not None and r["threshold"]]
    scored.sort(key=lambda r: (r["field"] != "", -r["score"] / r["threshold"]))
    for result in scored[: SHOWN_FIELDS + 1]:
        style = "bold red" if result["fired"] else ""
        cells = (
            result["step"],
            result["field"] or "(whole row)",
            f"{result['score']:.3f}",
            f"{result['threshold']:.3f}",
        )
        table.add_row(*cells, _bar(result["score"] / result["threshold"]), style=style)
    return table


def _bar(ratio: float) -> Text:
    """How far the score is, the threshold in the middle."""
    length = max(0, min(BAR, round(ratio * BAR / 2)))
    text = Text("█" * length + "·" * (BAR - length))
    text.stylize("green" if ratio <= 1 else "red")
    return text


def _explained(explanation: dict[str, Any]) -> Panel:
    values = sorted(explanation["values"].items(), key=lambda item: -abs(item[1]))[:5]
    told = "   ".join(f"{name} {value:+.3f}" for name, value in values)
    title = f"why the outlier {explanation['id']} got {explanation['output']} = {explanation['prediction']:.3f}"
    return Panel(f"baseline {explanation['baseline']:.3f}   {told}", title=title, title_align="left")
