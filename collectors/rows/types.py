"""Which types of Arrow columns are read, asked before any of their content is."""

import pyarrow as pa

from core.errors import Rejected

_TEXTS = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
_NUMBERS = (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal, pa.types.is_boolean, pa.types.is_null)
_LISTS = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
_MOMENTS = (pa.types.is_timestamp, pa.types.is_date)


def is_text(kind: pa.DataType) -> bool:
    return any(test(kind) for test in _TEXTS)


def is_list(kind: pa.DataType) -> bool:
    """Whether it is a list of numbers."""
    return any(test(kind) for test in _LISTS) and is_number(kind.value_type)


def check_types(schema: pa.Schema) -> None:
    """Rejected names the first column that cannot be read."""
    for column in schema:
        kind = column.type
        kind = kind.storage_type if isinstance(kind, pa.BaseExtensionType) else kind
        if not (_is_scalar(kind) or is_list(kind) or (pa.types.is_dictionary(kind) and _is_scalar(kind.value_type))):
            detail = f"a field is numbers, text or lists of numbers, not {str(kind)[:100]}"
            raise Rejected(400, "bad_value", detail, column.name)


def _is_scalar(kind: pa.DataType) -> bool:
    return is_text(kind) or is_number(kind) or any(test(kind) for test in _MOMENTS)


def is_number(kind: pa.DataType) -> bool:
    """Booleans and decimals included, and columns of nothing."""
    return any(test(kind) for test in _NUMBERS)
