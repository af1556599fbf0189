"""Fields that only the window or only the reference has: said once per version, never an alarm."""

from core.findings import Finding, Score
from pipelines.steps.task import Place, Subject
from pipelines.windows.look import Fields, Look
from storage.windows.distributions import Field

STEP = "schema"
_WORDS = {"num": "numbers", "cat": "categories"}


def schema_findings(subject: Subject, look: Look) -> list[Finding]:
    """Findings of the kind `schema`: without a score, with the reason."""
    return [
        subject.finding(STEP, place, Score(None, None, reason=reason), "schema")
        for found in look.fields()
        if not found.segment
        for name, reason in sorted(_differences(found).items())
        for place in [Place(found.version, "", name, found.rows, look.reference_rows)]
    ]


def _differences(found: Fields) -> dict[str, str]:
    """Why a field is not compared, or not under every kind it has."""
    window, reference = found.window, found.reference or set()
    names = {field.name for field in window ^ reference}
    return {name: _reason(_kinds(name, window), _kinds(name, reference)) for name in names}


def _kinds(name: str, fields: set[Field]) -> str:
    return " and ".join(sorted(_WORDS[field.kind] for field in fields if field.name == name))


def _reason(window: str, reference: str) -> str:
    if window and reference:
        return f"the window holds {window}, the reference {reference}"
    return "not in the reference" if window else "in the reference, but no row of the window has a value"
