"""The tensors of a payload, masked by the names that their columns will have as fields."""

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from typing import Any, NamedTuple

import numpy as np
import orjson
from numpy.typing import NDArray

from collectors.building.fields import ColumnNames, category_text, column_names, columns
from collectors.masking.rules import Chain, OfModel
from core.errors import Rejected
from core.records import Tensor

UNNAMED = "unnamed_columns"

_Columns = NDArray[np.intp]


class Known(NamedTuple):
    """What is known of the fields beyond the payload: names of tensor columns, and declared kinds."""

    names: ColumnNames
    kinds: Mapping[str, str]


def masked(tensors: Sequence[Tensor], rules: OfModel, known: Known) -> tuple[Tensor, ...]:
    """The same rows. Columns that become categories leave their tensor of numbers for one of texts behind it.

    Names are written into the tensors: read again later, they have the fields they had when they were masked.
    Unmaskable when a rule fails; Rejected for columns without names, of which any might be one that rules name.
    """
    if rules.names_fields:
        tensors = [part for tensor in tensors for part in _masked(tensor, rules, known)]
    return _named_apart(tensors)


def _masked(tensor: Tensor, rules: OfModel, known: Known) -> Iterator[Tensor]:
    names = column_names(tensor, known.names)
    chains = [rules.column(name, tensor.name, f"{tensor.name}.{name}") for name in names or (tensor.name,)]
    unnamed = _is_unnamed(tensor, known.names)
    if unnamed and not rules.keeps_unnamed and not all(chains):
        raise _unnamed(tensor)
    if not any(chains):
        yield tensor if unnamed else tensor._replace(columns=_said(tensor, names))
    elif not names:
        yield _vector(tensor, chains[0])
    else:
        yield from _by_kind(tensor._replace(columns=names), chains, known.kinds)


def _is_unnamed(tensor: Tensor, given: ColumnNames) -> bool:
    """Whether nobody has named the columns: those of a table that mixes numbers and text are numbered in its parts."""
    width = columns(tensor)
    if len(given(tensor.name, width)) == width:
        return False
    if len(tensor.columns) != width:
        return width > 1
    numbered = re.compile(rf"{re.escape(tensor.name)}_\d+")
    return all(numbered.fullmatch(name) for name in tensor.columns)


def _said(tensor: Tensor, names: tuple[str, ...]) -> tuple[str, ...]:
    return () if names == (tensor.name,) else names


def _unnamed(tensor: Tensor) -> Rejected:
    detail = (
        f"{columns(tensor)} columns without names, and masking rules name fields of this model: name the columns under "
        "models.<model>.names, or list the model under masking.keep_unnamed"
    )
    return Rejected(422, UNNAMED, detail, tensor.name)


def _by_kind(tensor: Tensor, chains: Sequence[Chain | None], kinds: Mapping[str, str]) -> Iterator[Tensor]:
    named = zip(tensor.columns, chains, strict=True)
    becomes_text = np.array([c is not None and (not c.numeric or kinds.get(name) == "cat") for name, c in named])
    if tensor.values.dtype == object or not becomes_text.any() or becomes_text.all():
        yield _applied(tensor, chains, bool(becomes_text.any()))
        return
    for chosen in (~becomes_text, becomes_text):
        at = np.flatnonzero(chosen)
        flat = tensor.values.reshape(len(tensor.values), len(chains))[:, at]
        part = tensor._replace(values=flat, columns=tuple(tensor.columns[j] for j in at))
        yield _applied(part, [chains[j] for j in at], chosen is becomes_text)


def _applied(tensor: Tensor, chains: Sequence[Chain | None], texts: bool) -> Tensor:
    """All columns are of one kind afterwards; numbers are masked as the categories they stand for when it is text."""
    flat = tensor.values.reshape(len(tensor.values), len(chains))
    texts = texts or flat.dtype == object
    if texts and flat.dtype != object:
        flat = category_text(flat)
    parts = [(at, chain.elements(flat[:, at]) if chain else flat[:, at]) for chain, at in _grouped(chains)]
    out: NDArray[Any] = np.empty(flat.shape, dtype=object if texts else np.float64)
    for at, values in parts:
        out[:, at] = values
    named = tensor._replace(values=out.reshape(tensor.values.shape), columns=_said(tensor, tensor.columns))
    return named._replace(datatype="BYTES") if texts else named


def _grouped(chains: Sequence[Chain | None]) -> list[tuple[Chain | None, _Columns]]:
    """The columns of each chain, which are masked together."""
    found: dict[Chain | None, list[int]] = {}
    for column, chain in enumerate(chains):
        found.setdefault(chain, []).append(column)
    return [(chain, np.array(at)) for chain, at in found.items()]


def _vector(tensor: Tensor, chain: Chain | None) -> Tensor:
    """Element by element where that leaves numbers or texts, else each row's vector as one text."""
    assert chain
    values = tensor.values
    if values.dtype == object or chain.numeric:
        return tensor._replace(values=chain.elements(values))
    texts = vector_texts(values.reshape(len(values), -1).astype(np.float32))
    out = np.empty(len(values), dtype=object)
    out[:] = chain.texts(texts)
    return tensor._replace(values=out, datatype="BYTES")


def vector_texts(vectors: Sequence[NDArray[np.float32]] | NDArray[np.float32]) -> list[str | None]:
    """Each vector as JSON; None for one without any number."""
    return [None if np.isnan(vector).all() else _json(vector) for vector in vectors]


def _json(vector: NDArray[np.float32]) -> str:
    return orjson.dumps(np.ascontiguousarray(vector), option=orjson.OPT_SERIALIZE_NUMPY).decode()


def _named_apart(tensors: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """Parts of one table have its name; a body needs one for each."""
    if len({tensor.name for tensor in tensors}) == len(tensors):
        return tuple(tensors)
    taken = {tensor.name for tensor in tensors}
    seen: set[str] = set()
    apart = []
    for tensor in tensors:
        name = tensor.name
        if name in seen:
            choices = (f"{name}.text{n or ''}" for n in count())
            name = next(choice for choice in choices if choice not in taken)
        seen.add(name)
        taken.add(name)
        apart.append(tensor._replace(name=name))
    return tuple(apart)
