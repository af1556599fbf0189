"""Models and data sets, as far as their payloads and files do not say themselves."""

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from core.config.sampling import Sample
from core.config.types import Strict
from core.records import Role


class FieldConfig(Strict):
    """What a field of a model is declared to be."""

    kind: Literal["num", "cat"] = "num"
    role: Role = "input"
    range: tuple[float, float] | None = None


class ModelConfig(Strict):
    namespace: str | None = None
    endpoint: str | None = Field(
        default=None, description="URL of the model's V2 resource: http://host:port/v2/models/<name>"
    )
    names: Mapping[str, tuple[str, ...]] = Field(
        default={}, description="column names of a tensor with several columns"
    )
    fields: Mapping[str, FieldConfig] = {}
    sample: Sample | None = Field(
        default=None, description="share of the predictions that is stored, or rules in order; errors always are"
    )


class DatasetConfig(Strict):
    """A reference data set in a Parquet or CSV file; `fields` renames columns, `id` is a column that is no field."""

    path: str
    id: str | None = None
    fields: Mapping[str, str] = {}
