"""Models and data sets, as far as their payloads and files do not say themselves."""

from collections.abc import Mapping
from typing import Literal

from pydantic import Field, model_validator

from core.config.sampling import Sample
from core.config.types import Strict
from core.contract import Contract
from core.records import Role


class FieldConfig(Strict):
    """What a field of a model is declared to be."""

    kind: Literal["num", "cat"] = "num"
    role: Role = "input"
    range: tuple[float, float] | None = Field(default=None, description="lowest and highest value, both allowed")
    categories: tuple[str, ...] | None = Field(default=None, description="all that a field of kind cat may hold")

    @model_validator(mode="after")
    def _checked(self) -> "FieldConfig":
        if self.range is not None and not self.range[0] <= self.range[1]:
            raise ValueError("range: the lowest value comes first")
        if self.range is not None and self.kind == "cat":
            raise ValueError("range: only numbers have one; kind is cat")
        if self.categories is not None and self.kind == "num":
            raise ValueError("categories: they go with kind: cat")
        return self

    @property
    def contract(self) -> Contract:
        """What data-quality detectors hold the field's values against."""
        categories = None if self.categories is None else frozenset(self.categories)
        return Contract(self.kind if "kind" in self.model_fields_set else None, self.range, categories)


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
