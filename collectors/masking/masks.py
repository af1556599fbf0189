"""Everything a tap has passes through here before it is written, handed over or said."""

from collections.abc import Callable
from typing import TypeVar

from collectors.building.exchanges import Exchange, Naming
from collectors.masking import letters
from collectors.masking.action import Unmaskable
from collectors.masking.halves import masked_half
from collectors.masking.labels import masked_labels
from collectors.masking.letters import FAILED
from collectors.masking.rows import masked_fields, masked_rows
from collectors.masking.rules import OfModel, Rules
from collectors.rows import BadRow, LabelsRead, RowsRead
from collectors.taps.asgi import as_rejected
from core.config import Masking
from core.errors import Rejected
from core.records import DeadLetter, Half, ModelKey

T = TypeVar("T")


def _unnamed(model: ModelKey) -> Naming:
    return Naming(lambda tensor, width: (), lambda tensor, width: (), {})


class Masks:
    """Without rules everything passes as it is. `naming` knows the fields of a model.

    Fails closed: what a rule cannot mask is Rejected with a text that quotes nothing of it.
    """

    def __init__(self, masking: Masking | None = None, naming: Callable[[ModelKey], Naming] = _unnamed) -> None:
        """ConfigError when the rules hash and their key is not there."""
        self._rules, self._naming = Rules(masking or Masking()), naming
        self.on = bool(self._rules)

    def half(self, half: Half) -> Half:
        """A request or a response as it may be written. Rejected when a rule fails."""
        if not self.on:
            return half
        model = ModelKey(half.key.namespace, half.key.model)
        if not (rules := self._rules.of(model)):
            return half
        return _closed(lambda: masked_half(half, rules, self._naming(model)))

    def exchange(self, exchange: Exchange) -> Exchange:
        """Both halves. Rejected when a rule fails on either."""
        if not self.on:
            return exchange
        return Exchange(*(half and self.half(half) for half in exchange))

    def rows(self, read: RowsRead) -> RowsRead:
        """The good rows masked, a row that a rule cannot mask among the bad ones, whose reasons quote nothing."""
        return _closed(lambda: self._rows(read)) if self.on else read

    def labels(self, read: LabelsRead) -> LabelsRead:
        """The good labels masked, one that a rule cannot mask among the bad ones, whose reasons quote nothing."""
        return _closed(lambda: self._labels(read)) if self.on else read

    def letter(self, letter: DeadLetter) -> DeadLetter:
        """Nothing of what could not be read, when rules are for its model or nobody knows whose it is."""
        if not self.on:
            return letter
        rules = self._of(ModelKey(letter.namespace, letter.model))
        return letters.withheld(letter, rules) if rules else letter

    def error(self, failure: Exception) -> Rejected:
        """`failure` as it may be answered and logged."""
        return letters.rejected(failure) if self.on else as_rejected(failure)

    def said(self, failure: str) -> str:
        """`UpstreamFailed: what it said` as it may be logged."""
        return f"{failure.partition(':')[0]} ({letters.WITHHELD})" if self.on else failure

    def log(self, what: str, failure: Exception) -> None:
        """An error of our own, with its traceback where that may be logged."""
        if self.on:
            letters.log.error("%s: %s; what it says is withheld", what, letters.place(failure))
        else:
            letters.log.error(what, exc_info=failure)

    def _of(self, model: ModelKey) -> OfModel:
        return self._rules.of(model) if model.model else self._rules.any_model

    def _rows(self, read: RowsRead) -> RowsRead:
        batch, failed = masked_rows(read.batch, self._rules)
        number = (lambda row: row) if read.numbers is None else read.numbers.__getitem__
        worse = [BadRow(int(number(row)), "", why, FAILED, b"") for row, why in failed]
        rejected = [*map(_quiet, read.rejected), *worse]
        labels = read.labels and self._labels(read.labels)
        rejected += labels.rejected if labels else []
        fields = masked_fields(read.fields, self._rules)
        return RowsRead(batch, sorted(rejected), fields, read.new, read.numbers, labels)

    def _labels(self, read: LabelsRead) -> LabelsRead:
        batch, failed = masked_labels(read.batch, self._rules)
        worse = [BadRow(read.numbers[row], "", why, FAILED, b"") for row, why in failed.items()]
        numbers = [number for row, number in enumerate(read.numbers) if row not in failed]
        return LabelsRead(batch, sorted([*map(_quiet, read.rejected), *worse]), numbers)


def _quiet(row: BadRow) -> BadRow:
    """With its body, which `letter` withholds: the letter says how long it was."""
    return row._replace(field=letters.own_path(row.code, row.field), reason=letters.said(row.code, row.reason))


def _closed(work: Callable[[], T]) -> T:
    """A rule that fails in whatever way stops what it was to mask."""
    try:
        return work()
    except Rejected:
        raise
    except Unmaskable as error:
        raise Rejected(422, FAILED, str(error)) from None
    except Exception as error:
        raise Rejected(500, FAILED, f"the masking itself failed: {letters.place(error)}") from None


NO_MASKS = Masks()
