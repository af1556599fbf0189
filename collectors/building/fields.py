"""Tensors of a request or a response to named fields, by columns: no Python per cell.

`[N]` and `[N,1]` are one field, `[N,k]` is k fields, anything wide or deep is one vector field; numbers are `num`, text
is `cat`, unless the configuration declares otherwise.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import chain, compress, count
from typing import Any, Literal, NamedTuple

import numpy as np
import orjson
from numpy.typing import NDArray

from core.records import Tensor

WIDEST = 1024  # columns a tensor may have before it is one vector field
EXACT = 2**53  # float64 holds every integer up to here (IEEE 754); beyond it integers are kept as text
SPREAD_CELLS = 2**20  # what an output kept whole on row 0 may cost as a vector over all rows; beyond, it is text

_MISSING = np.array(None, dtype=object)

Kind = Literal["num", "cat", "vec"]
# Given a tensor's name and how many columns it has: their names, () when nobody gave any.
ColumnNames = Callable[[str, int], tuple[str, ...]]


class Block(NamedTuple):
    """Some fields of one kind over the same rows.

    `values`: shape (rows, fields): float64 with NaN = missing, or object with None = missing; for a vector field
    float32 of shape (rows, size), with `present` (rows,) saying which rows have it.
    """

    kind: Kind
    names: tuple[str, ...]
    values: NDArray[Any]
    tensor: str = ""
    datatype: str = ""
    present: NDArray[np.bool_] | None = None


def row_count(tensors: Sequence[Tensor]) -> int:
    """How many predictions a payload holds: the first dimension of its first tensor; 1 when it has none."""
    return len(tensors[0].values) if tensors and tensors[0].values.ndim else 1


def aligned(tensor: Tensor, rows: int) -> Tensor:
    """`tensor` with `rows` as its first dimension: `[1,N]` is transposed, anything else is whole on row 0."""
    values = tensor.values
    if len(values) == rows:
        return tensor
    if values.shape == (1, rows):
        return tensor._replace(values=values.reshape(rows, 1))
    if values.size == 1:
        spread = np.full((rows, 1), np.nan if values.dtype != object else None, dtype=values.dtype)
        spread[0] = values.ravel()[0]
        return tensor._replace(values=spread)
    if values.dtype == object or rows * values.size > SPREAD_CELLS:
        text = np.full((rows, 1), None, dtype=object)
        text[0, 0] = orjson.dumps(values.tolist()).decode()
        return tensor._replace(values=text)
    whole = np.full((rows, 1, values.size), np.nan)
    whole[0, 0] = values.ravel()
    return tensor._replace(values=whole)


def spread_cells(tensors: Sequence[Tensor], rows: int) -> int:
    """How many cells `aligned` adds to tensors whose first dimension is not `rows`."""
    return rows * sum([len(tensor.values) != rows and tensor.values.shape != (1, rows) for tensor in tensors])


def blocks(tensors: Sequence[Tensor], names: ColumnNames) -> list[Block]:
    """Aligned tensors as blocks of fields; `names(tensor, columns)` gives the names of a tensor's columns.

    A name that is there already is kept apart as `<tensor>.<name>`, numbered when that is taken too.
    """
    found = [_block(tensor, names) for tensor in tensors]
    if len({name for block in found for name in block.names}) == sum(len(block.names) for block in found):
        return found
    taken: set[str] = set()
    return [block._replace(names=tuple(_untaken(name, block.tensor, taken) for name in block.names)) for block in found]


def column_names(tensor: Tensor, given: ColumnNames) -> tuple[str, ...]:
    """The field of each column of an aligned tensor; () for one that is a single vector field, named like the tensor.

    `given` is asked first, then the tensor itself; else the columns are numbered.
    """
    values = tensor.values
    width = columns(tensor)
    names = given(tensor.name, width) or tensor.columns
    if len(names) == width:
        return names
    if values.ndim == 1 or width == 1:
        return (tensor.name,)
    return tuple(f"{tensor.name}_{j}" for j in range(width)) if values.ndim == 2 and width <= WIDEST else ()


def columns(tensor: Tensor) -> int:
    """Elements in each row of an aligned tensor."""
    return tensor.values.size // len(tensor.values) if len(tensor.values) else 1


def declared(found: list[Block], kinds: Mapping[str, str]) -> list[Block]:
    """`found`, with fields that the configuration declares `cat` turned from numbers into text: 3.0 is '3'.

    Of numbers that came as text, since one is an integer beyond EXACT, only such integers stay text: what a value
    becomes does not depend on what came with it.
    """
    found = [part for block in found for part in _by_exactness(block, kinds)]
    if not any(b.kind == "num" and not kinds.keys().isdisjoint(b.names) for b in found):
        return found
    return [part for block in found for part in _split_by_kind(block, kinds)]


def _untaken(name: str, tensor: str, taken: set[str]) -> str:
    choices = chain((name, f"{tensor}.{name}"), (f"{tensor}.{name}.{n}" for n in count(2)))
    free = next(choice for choice in choices if choice not in taken)
    taken.add(free)
    return free


def _block(tensor: Tensor, given: ColumnNames) -> Block:
    flat = tensor.values.reshape(len(tensor.values), columns(tensor))
    names = column_names(tensor, given)
    return _scalars(tensor, names, flat) if names else _vector(tensor, flat)


def _scalars(tensor: Tensor, names: tuple[str, ...], values: NDArray[Any]) -> Block:
    return Block("cat" if values.dtype == object else "num", names, values, tensor.name, tensor.datatype)


def _vector(tensor: Tensor, values: NDArray[Any]) -> Block:
    if values.dtype == object and tensor.datatype != "BYTES":
        values = values.astype(np.float64)
    if values.dtype == object:
        text = np.array([[orjson.dumps(row).decode()] for row in values.tolist()], dtype=object)
        return Block("cat", (tensor.name,), text, tensor.name, tensor.datatype)
    present = ~np.isnan(values).all(axis=1)
    with np.errstate(over="ignore"):  # beyond float32 it is infinite, which is kept and counted
        vectors = values.astype(np.float32)
    return Block("vec", (tensor.name,), vectors, tensor.name, tensor.datatype, present)


def _by_exactness(block: Block, kinds: Mapping[str, str]) -> list[Block]:
    if block.kind != "cat" or block.datatype in ("", "BYTES"):
        return [block]
    beyond = np.frompyfunc(_stays_text, 1, 1)(block.values).astype(np.bool_)
    numbers = np.where(beyond, _MISSING, block.values).astype(np.float64)
    text = np.array([kinds.get(name) == "cat" for name in block.names], np.bool_)
    texts = np.where(beyond, block.values, _MISSING)
    if text.any():
        texts[:, text] = np.where(beyond[:, text], texts[:, text], category_text(numbers[:, text]))
    parts: tuple[tuple[Kind, NDArray[Any], NDArray[np.bool_]], ...] = (
        ("num", numbers, ~text & ~beyond.all(axis=0)),
        ("cat", texts, text | beyond.any(axis=0)),
    )
    return [
        block._replace(kind=kind, names=tuple(compress(block.names, chosen)), values=values[:, chosen])
        for kind, values, chosen in parts
        if chosen.any()
    ]


def _stays_text(text: str | None) -> bool:
    """Whether a number's text is an integer that float64 may not hold exactly, or a whole tensor that was kept."""
    return text is not None and (text[:1] == "[" or (text.lstrip("-").isdigit() and abs(int(text)) > EXACT))


def _split_by_kind(block: Block, kinds: Mapping[str, str]) -> list[Block]:
    texts = [j for j, name in enumerate(block.names) if block.kind == "num" and kinds.get(name) == "cat"]
    if not texts:
        return [block]
    numbers = [j for j in range(len(block.names)) if j not in texts]
    as_text = block._replace(
        kind="cat", names=tuple(block.names[j] for j in texts), values=category_text(block.values[:, texts])
    )
    rest = block._replace(names=tuple(block.names[j] for j in numbers), values=block.values[:, numbers])
    return [as_text, rest] if numbers else [as_text]


def category_text(values: NDArray[np.float64]) -> NDArray[Any]:
    """Numbers as categories, same shape: 3.0 is '3', NaN is None."""
    distinct, where = np.unique(values, return_inverse=True)
    texts = [None if np.isnan(v) else number_text(v) for v in distinct.tolist()]
    out: NDArray[Any] = np.array(texts, dtype=object)[where.reshape(values.shape)]
    return out


def number_text(value: float) -> str:
    """The category that a number stands for: 3.0 is '3', and 2.0**60 all digits, as an integer of its value is."""
    return str(int(value)) if value.is_integer() else repr(value)
