"""What of a thing that could not be read may be kept and said: nothing that may quote it.

Nobody knows what is in it: neither whose model it is of, nor which part of it is a value.
"""

import logging
import re
from dataclasses import replace
from traceback import extract_tb

from collectors.masking.rules import OfModel
from collectors.masking.tensors import UNNAMED
from core.errors import Rejected
from core.records import DeadLetter

WITHHELD = "withheld: masking rules apply"
FAILED = "masking_failed"

# Codes whose details quote nothing of a payload: they say sizes, limits, content types and names of our own.
_PLAIN = {
    "bad_cells",
    "bad_content_type",
    "disconnected",
    "missing_attribute",
    "no_model",
    "too_deep",
    "too_large",
    "too_many_fields",
    "truncated_tensor",
    "unknown_content_type",
    "unknown_tap",
    FAILED,
    UNNAMED,
}
# Attributes whose values hold the caller's headers and the annotations, which become tags.
_FORWARDED = {"ce-metadata", "ce-annotations"}

# A path of nothing but our own words and numbers; other words in it are keys that the sender made.
# fmt: off
_WORDS = (
    "inputs", "outputs", "instances", "predictions", "parameters", "binary_data_size", "data", "data_base64",
    "shape", "datatype", "name", "names", "ndarray", "tensor", "values", "strData", "binData", "jsonData", "id",
    "time", "status", "latency", "weight", "error", "model", "version", "namespace", "trace_id", "tags",
    "labels", "value", "content-type", "inference-header-content-length", "ce-id", "ce-source", "ce-type",
    "ce-specversion", "ce-statuscode", "ce-inferenceservicename", "specversion", "source", "type", "path",
)
# fmt: on
_OWN_PATH = re.compile(rf"(?:(?:^|\.)(?:{'|'.join(map(re.escape, _WORDS))})|\[\d+\])*")

log = logging.getLogger("tidemark.tap")


def withheld(letter: DeadLetter, rules: OfModel) -> DeadLetter:
    """`letter` without its body, whose length it keeps; `rules` are those of its model."""
    size = len(letter.body) if letter.body_bytes < 0 else letter.body_bytes
    headers = [(n, v) for n, v in letter.headers if not (rules.names_labels and n.lower() in _FORWARDED)]
    return replace(
        letter,
        detail=said(letter.reason, letter.detail),
        field=own_path(letter.reason, letter.field),
        body=b"",
        body_bytes=size,
        headers=rules.labels(tuple(headers)),
    )


def rejected(failure: Exception) -> Rejected:
    """What may be said of `failure` to the sender and in the log: an error of our own by its type and place alone."""
    if isinstance(failure, Rejected):
        code = failure.code
        return Rejected(failure.status, code, said(code, failure.detail), own_path(code, failure.field))
    log.error("what was sent could not be taken: %s; what it says is withheld", place(failure))
    return Rejected(500, "internal", f"{type(failure).__name__} ({WITHHELD})")


def place(failure: BaseException) -> str:
    """`ValueError at v2.py:42`."""
    frames = extract_tb(failure.__traceback__)
    at = f" at {frames[-1].filename.rsplit('/', 1)[-1]}:{frames[-1].lineno}" if frames else ""
    return f"{type(failure).__name__}{at}"


def said(code: str, detail: str) -> str:
    """The details where they quote nothing, else the code's plain words."""
    return detail if code in _PLAIN else f"{code.replace('_', ' ')} ({WITHHELD})"


def own_path(code: str, field: str) -> str:
    """A field's path where it is made of our own words; names of fields are no secret where masking itself speaks."""
    return field if code in (FAILED, UNNAMED) or _OWN_PATH.fullmatch(field) else ""
