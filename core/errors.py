"""Every exception Tidemark raises on purpose.

TidemarkError
 ├─ Rejected            what was sent cannot be taken; carries the HTTP status, the field at fault and a reason code
 ├─ Overloaded          not accepted now: answer 503 with Retry-After, the sender keeps it
 ├─ ConfigError         tidemark.yaml or an argument is wrong; the text names file, line, key
 ├─ StoreError          the store refused or cannot be reached
 │   ├─ StoreUnavailable    worth another try: connection lost, memory limit, timeout
 │   └─ StoreOwned          another process holds the chdb folder
 └─ StepFailed          one step of one run failed; its run records why
"""

_LONGEST_DETAIL, _LONGEST_FIELD = 2_000, 200  # characters


class TidemarkError(Exception):
    """Its text is one clear line for the user; commands print it and exit 1."""


class Rejected(TidemarkError):
    """A payload that cannot be taken.

    `status` is the HTTP status to answer, `code` a short reason that is counted
    (`tidemark_dead_letters_total{reason}`), `field` the path of the value at fault, such as `inputs[0].shape`.
    """

    def __init__(self, status: int, code: str, detail: str, field: str = "") -> None:
        detail, field = detail[:_LONGEST_DETAIL], field[:_LONGEST_FIELD]  # both may quote what was sent
        super().__init__(f"{field}: {detail}" if field else detail)
        self.status, self.code, self.detail, self.field = status, code, detail, field


class Overloaded(TidemarkError):
    """The spool is full; `retry_after` is in seconds."""

    def __init__(self, detail: str, retry_after: int = 1) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


class ConfigError(TidemarkError):
    """The user's configuration is wrong."""


class StoreError(TidemarkError):
    """The store refused what was asked of it. `code` is ClickHouse's own error code, 0 when there is none."""

    def __init__(self, detail: str, code: int = 0) -> None:
        super().__init__(detail)
        self.code = code


class StoreUnavailable(StoreError):
    """The same call may work later; nothing is wrong with what was sent."""


class StoreOwned(StoreError):
    """Another process owns the embedded store."""


class StepFailed(TidemarkError):
    """A step raised, crashed, or ran out of time or memory."""
