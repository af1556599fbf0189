"""Which rules are for a model, and for a field, a tag or a header of it: worked out once, then looked up."""

import re
from collections.abc import Sequence
from fnmatch import translate
from functools import cached_property, lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from collectors.building.fields import number_text
from collectors.masking import ACTIONS
from collectors.masking.action import Action, Texts, Unmaskable
from core.config.masking import Masking, Rule, Selector, read_key
from core.records import ModelKey

Tags = tuple[tuple[str, str], ...]


class Step(NamedTuple):
    """One rule at work; `place` says where in the configuration it is."""

    place: str
    action: Action


class Chain(NamedTuple):
    """The rules that match one thing, in their order."""

    steps: tuple[Step, ...]

    @property
    def numeric(self) -> bool:
        """Whether numbers stay numbers."""
        return all(step.action.numeric for step in self.steps)

    def texts(self, values: Texts) -> Texts:
        """Unmaskable names the rule that failed."""
        for place, action in self.steps:
            try:
                values = action.texts(values)
            except Unmaskable as error:
                raise Unmaskable(f"{place}: {error}", error.failed) from None
        return values

    def elements(self, values: NDArray[Any]) -> NDArray[Any]:
        """Numbers (NaN = missing) or texts (None = missing) of any shape, in that shape."""
        if values.dtype != object and self.numeric:
            for _, action in self.steps:
                values = action.numbers(values)
            return values
        flat = values.ravel().tolist()
        masked = np.empty(len(flat), dtype=object)
        masked[:] = self.texts(flat if values.dtype == object else [category(value) for value in flat])
        return masked.reshape(values.shape)


class OfModel:
    """The rules for one model, by what they select."""

    def __init__(self, chosen: Sequence[tuple[Rule, Step]], keeps_unnamed: bool) -> None:
        self._chosen = chosen
        self.keeps_unnamed = keeps_unnamed
        self.column = lru_cache(4096)(self._column)
        self.label = lru_cache(4096)(self._label)

    def __bool__(self) -> bool:
        return bool(self._chosen)

    @cached_property
    def names_fields(self) -> bool:
        return any(rule.field is not None for rule, _ in self._chosen)

    @cached_property
    def names_labels(self) -> bool:
        return any(rule.field is None for rule, _ in self._chosen)

    def labels(self, labels: Tags) -> Tags:
        """Tags or headers; dropped ones are left out."""
        if not self.names_labels:
            return labels
        found = ((name, self._masked(name, value)) for name, value in labels)
        return tuple([(name, value) for name, value in found if value is not None])

    def _masked(self, name: str, value: str) -> str | None:
        chain = self.label(name)
        return chain.texts([value])[0] if chain else value

    def _column(self, *names: str) -> Chain | None:
        """For a field known by any of `names`."""
        return _chain([step for rule, step in self._chosen if rule.field and _any(rule.field, names)])

    def _label(self, name: str) -> Chain | None:
        """Headers become tags, and tags headers, at the taps: rules for either are for both, and case is no matter."""
        names = (name.lower(), name.lower().removeprefix("ce-"))
        globs = [((rule.tag or rule.header or "").lower(), step) for rule, step in self._chosen]
        return _chain([step for glob, step in globs if glob and _any(glob, names)])


class Rules:
    """Every rule; ConfigError when the key they need is not there."""

    def __init__(self, masking: Masking) -> None:
        key = read_key(masking)
        self._masking = masking
        self._all = [(rule, _step(number, rule, key)) for number, rule in enumerate(masking.rules)]
        self.of = lru_cache(4096)(self._of)

    def __bool__(self) -> bool:
        return bool(self._all)

    @cached_property
    def any_model(self) -> OfModel:
        """As if of a model that all of them are for."""
        return OfModel(self._all, False)

    def _of(self, model: ModelKey) -> OfModel:
        chosen = [(rule, step) for rule, step in self._all if rule.model is None or _is_model(rule.model, model)]
        return OfModel(chosen, any(_is_model(glob, model) for glob in self._masking.keep_unnamed))


def category(value: float) -> str | None:
    """The text that a number is masked as; None for a missing one."""
    return number_text(value) if value == value else None


def _step(number: int, rule: Rule, key: bytes) -> Step:
    name = rule.do if isinstance(rule.do, str) else next(iter(type(rule.do).model_fields))
    selector: Selector = rule.selector
    return Step(f"masking.rules.{number} ({selector} {rule.selected})", ACTIONS[name](rule.do, key))


def _chain(steps: Sequence[Step]) -> Chain | None:
    return Chain(tuple(steps)) if steps else None


def _is_model(glob: str, model: ModelKey) -> bool:
    """A name without its namespace is meant in every one: a rule that is too narrow would leak in silence."""
    return _any(glob, ("/".join(model) if "/" in glob else model.model,))


def _any(glob: str, names: Sequence[str]) -> bool:
    expression = _compiled(glob)
    return any(name == glob or expression.match(name) for name in names)


@lru_cache(1024)
def _compiled(glob: str) -> re.Pattern[str]:
    return re.compile(translate(glob))
