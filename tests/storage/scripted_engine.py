"""An engine whose inserts fail as a test says, with a real one behind it."""

from dataclasses import dataclass, field
from typing import Any, Literal

import pyarrow as pa

from core.errors import StoreUnavailable
from storage.engine import Engine, Limits, Params

Fate = Literal["stored", "away", "lost"]


@dataclass
class ScriptedEngine:
    """`away`: the insert does not reach the store; `lost`: it is stored, and its answer is lost."""

    engine: Engine
    fates: list[Fate] = field(default_factory=list)  # of the next tries
    tokens: list[str] = field(default_factory=list)  # of every try
    url: str = "scripted://"

    def insert(self, table: str, data: pa.Table | pa.RecordBatch, token: str = "") -> None:
        self.tokens.append(token)
        fate = self.fates.pop(0) if self.fates else "stored"
        if fate != "away":
            self.engine.insert(table, data, token)
        if fate != "stored":
            raise StoreUnavailable("connection reset")

    def arrow(self, sql: str, params: Params | None = None, limits: Limits | None = None) -> pa.Table:
        return self.engine.arrow(sql, params, limits)

    def rows(self, sql: str, params: Params | None = None) -> list[dict[str, Any]]:
        return self.engine.rows(sql, params)

    def command(self, sql: str, params: Params | None = None) -> None:
        self.engine.command(sql, params)

    def close(self) -> None: ...
