"""Halves as they may be written: their tensors, tags and error text masked, and their body made of those."""

from collectors.building.exchanges import Naming
from collectors.masking.body import HEADERS, body
from collectors.masking.letters import WITHHELD
from collectors.masking.rules import OfModel
from collectors.masking.tensors import Known, masked
from core.records import Half


def masked_half(half: Half, rules: OfModel, naming: Naming) -> Half:
    """`half` with nothing in it that is not masked, or an id, or a name. What was received is let go of.

    Error texts quote what they could not take, so they are withheld.
    """
    known = Known(naming.inputs if half.kind == "request" else naming.outputs, naming.kinds)
    payload = half.payload._replace(
        tensors=masked(half.payload.tensors, rules, known), error=_withheld(half.payload.error)
    )
    return half._replace(
        payload=payload,
        error=_withheld(half.error),
        tags=rules.labels(half.tags),
        headers=HEADERS,
        body=body(payload, half.kind) if half.body else b"",
    )


def _withheld(error: str) -> str:
    return WITHHELD if error else ""
