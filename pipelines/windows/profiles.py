"""The profiles' share of a round: bounded work, seen in the metrics, and never what stops the monitors."""

import logging
from datetime import datetime

from core.errors import StoreError, StoreUnavailable
from core.metrics import Metrics
from storage.profiles.profiler import Profiler

log = logging.getLogger(__name__)


class Profiles:
    def __init__(self, profiler: Profiler, metrics: Metrics) -> None:
        self._profiler, self._metrics = profiler, metrics
        self._looked_at = -1  # after a start it is not known what was left

    def keep_up(self, now: datetime) -> None:
        """StoreUnavailable passes; what else the store refuses is tried again in the next round."""
        try:
            progress = self._profiler.keep_up(now)
        except StoreUnavailable:
            raise
        except StoreError as error:
            log.error("profiles wait for the store: %s", error)
            return
        self._metrics.profiled_cells.inc(progress.cells)
        self._metrics.profile_lag.set(progress.lag.total_seconds())

    def looked_at_more(self) -> bool:
        """Whether any minute was looked at since the last call, for a window or for good."""
        before, self._looked_at = self._looked_at, self._profiler.looked_at
        return self._looked_at != before
