"""A stop watch for the stages of a classification: for telemetry only, it decides nothing."""

from __future__ import annotations

import time


class Watch:
    """Wall seconds of stages; waiting for a turn belongs to none."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.start()

    def start(self) -> None:
        """Begin the next stage now."""
        self._last = time.perf_counter()

    def stop(self, stage: str) -> None:
        """End a stage, which began when the one before it ended or at ``start``."""
        now = time.perf_counter()
        self.seconds[stage] = now - self._last
        self._last = now

    def add_to(self, total: dict[str, float]) -> None:
        """Add the seconds of each stage to those of a total."""
        for stage, seconds in self.seconds.items():
            total[stage] = total.get(stage, 0.0) + seconds
