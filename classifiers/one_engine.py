"""What the lanes of a single engine share: the engine or none, how records name it, and turns at computing."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from classifiers.classifier import EngineUse, Verdicts
from classifiers.items import Spectrum, Stamps
from classifiers.loaded import LoadedEngine, by_role, nominal_records


class OneEngineLane:
    """Base of the classifiers of a lane with at most one engine."""

    def __init__(self, role: str, engines: Sequence[LoadedEngine], threads: int = 1) -> None:
        """Check the engine.

        Args:
            role: of the lane's engine.
            engines: of that role.
            threads: batches whose engine computes at once; changes speed, never results.

        Raises:
            BundleError: two bundles, another role, or no calibration.
        """
        self._engine = by_role(engines, frozenset({role})).get(role)
        self._threads = threads
        self._turns = threading.Semaphore(threads)
        self._uses = () if self._engine is None else (self._engine.use(),)

    def engines(self) -> tuple[EngineUse, ...]:
        """Return the engine that takes part, if any."""
        return self._uses

    def workers(self) -> int:
        """Return one more than the threads of the engine: one prepares and reads answers while the others compute."""
        return self._threads + 1

    def _nominal(self, items: Sequence[Spectrum] | Sequence[Stamps], verdicts: Verdicts) -> NDArray[np.bool_] | None:
        """Return ``Verdicts.nominal`` of n items."""
        engines = () if self._engine is None else (self._engine,)
        return nominal_records(engines, [item.survey for item in items], verdicts.columns["coverage"])
