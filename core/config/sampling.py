"""Which share of a model's predictions is stored: one ratio, or rules in order."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Discriminator, Field, Tag, model_validator

from core.config.types import Duration, Strict
from core.options import nearest

ERROR_STATUS = 400  # from here on, and 0 for an answer that never came, an inference failed


def _stands_for_itself(keep: float) -> float:
    if keep <= 0:
        raise ValueError("must be above 0: no stored row would stand for those left out, and every figure be biased")
    return keep


Keep = Annotated[float, Field(le=1, allow_inf_nan=False, strict=True), AfterValidator(_stands_for_itself)]


def _listed(value: object) -> object:
    return value if isinstance(value, list | tuple) else (value,)


def _statuses(value: object) -> object:
    """`5xx` is 500 to 599, 503 only itself."""
    text = str(value)
    if len(text) == 3 and text.endswith("xx") and text[0] in "123456789":
        return int(text[0]) * 100, int(text[0]) * 100 + 99
    if type(value) is int and 0 <= value <= 999:
        return value, value
    raise ValueError(f"expected a status such as 200, or a class of them such as '2xx', found {value!r}")


Texts = Annotated[tuple[str, ...], BeforeValidator(_listed), Field(min_length=1)]
Statuses = Annotated[
    tuple[Annotated[tuple[int, int], BeforeValidator(_statuses)], ...], BeforeValidator(_listed), Field(min_length=1)
]


class When(Strict):
    """What a prediction must have for a rule to decide: all that is named here, of a list any one."""

    model_config = ConfigDict(extra="allow", frozen=True)
    __pydantic_extra__: dict[str, Texts]

    status: Statuses | None = Field(default=None, description="200, or a class such as 2xx")
    version: Texts | None = None
    source: Texts | None = Field(default=None, description="the tap: api, events, the name of a proxy tap")
    latency_over: Duration | None = Field(default=None, description="a prediction whose latency is unknown is not over")

    @model_validator(mode="after")
    def _known(self) -> "When":
        known = [*type(self).model_fields, "tags.<name>"]
        for key in self.__pydantic_extra__:
            if not key.startswith("tags.") or key == "tags.":
                raise ValueError(f"unknown key '{key}'; {nearest(key, known)}")
        if not self.model_fields_set:
            raise ValueError(f"a condition names at least one of: {', '.join(known)}")
        if self.latency_over is not None and self.latency_over < timedelta(0):
            raise ValueError("'latency_over' must not be negative")
        return self

    @property
    def tags(self) -> Mapping[str, tuple[str, ...]]:
        """The values asked for, by tag."""
        return {key.removeprefix("tags."): values for key, values in self.__pydantic_extra__.items()}


class SampleRule(Strict):
    """Keep this share of the predictions that `when` names, of all without it."""

    when: When | None = None
    keep: Keep

    @model_validator(mode="after")
    def _not_of_errors(self) -> "SampleRule":
        statuses = self.when.status if self.when and self.when.status else ()
        if self.keep < 1 and any(is_error(lowest) for lowest, _ in statuses):
            raise ValueError("errors are never sampled away: leave the rule out, or keep 1 of them")
        return self


def _in_reach(rules: tuple[SampleRule, ...]) -> tuple[SampleRule, ...]:
    if not rules:
        raise ValueError("a list of rules has at least one")
    for k, rule in enumerate(rules[:-1], 1):
        if rule.when is None:
            raise ValueError(f"rule {k} has no 'when', so it decides all, and no rule after it is reached")
    return rules


def _kind(value: Any) -> str:
    return "<rules>" if isinstance(value, list | tuple | Mapping) else "<ratio>"


Sample = Annotated[
    Annotated[Keep, Tag("<ratio>")] | Annotated[tuple[SampleRule, ...], AfterValidator(_in_reach), Tag("<rules>")],
    Discriminator(_kind),
]


def rules(sample: Sample | None) -> tuple[SampleRule, ...]:
    """The rules in order, the first that matches decides; what none matches is kept."""
    if sample is None:
        return ()
    return sample if isinstance(sample, tuple) else (SampleRule(keep=sample),)


def is_error(status: int) -> bool:
    return status >= ERROR_STATUS or status == 0
