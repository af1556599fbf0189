"""Fields that only the window or only the reference has: said once per version, never an alarm."""

from core.findings import Finding, Score
from pipelines.look import Fields, Look
from pipelines.task import Place, Subject
from storage.windows import Field

STEP = "schema"
_WORDS = {"num": "numbers", "cat": "categories"}


def schema_findings(subject: Subject, look: Look) -> list[Finding]:
    """Findings of the kind `schema`: without a score, with the reason."""
    return [
        subject.finding(STEP, Place(found.version, "", name, found.rows, look.reference_rows), score, "schema")
        for found in look.fields()
        if not found.segment
        for name, score in sorted(_differences(found).items(), key=lambda item: item[0])
    ]


def _differences(found: Fields) -> dict[str, Score]:
    reference = found.reference or set()
    said = {
        **{field.name: _missing(field, found.window) for field in reference - found.window},
        **{field.name: _extra(field, reference) for field in found.window - reference},
    }
    return {name: Score(None, None, reason=reason) for name, reason in said.items()}


def _missing(field: Field, window: set[Field]) -> str:
    other = [f for f in window if f.name == field.name]
    return (
        f"the window holds {_WORDS[other[0].kind]}, the reference {_WORDS[field.kind]}"
        if other
        else "in the reference, but no row of the window has a value"
    )


def _extra(field: Field, reference: set[Field]) -> str:
    other = [f for f in reference if f.name == field.name]
    return (
        f"the window holds {_WORDS[field.kind]}, the reference {_WORDS[other[0].kind]}"
        if other
        else "not in the reference"
    )
