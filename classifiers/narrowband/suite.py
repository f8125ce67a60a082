"""The classifier of the narrow-band lane: preparation, engine and verdict; the engine may be missing."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace

from classifiers.classifier import EngineUse, Verdicts
from classifiers.items import Spectrum
from classifiers.loaded import LoadedEngine, by_role
from classifiers.narrowband.prepare import prepare_bands
from classifiers.verdict.narrowband import narrowband_verdicts, unserved_verdicts
from classifiers.watch import Watch

NARROWBAND_ROLE = "narrowband"


class NarrowbandSuite:
    """The narrow-band lane: one engine or none; a ``Classifier`` of ``Spectrum`` with sampling NARROWBAND.

    Without an engine every record is answered OUT_OF_DOMAIN: nothing here serves it.
    """

    def __init__(self, engines: Sequence[LoadedEngine], threads: int = 1) -> None:
        """Check the engine.

        Args:
            engines: of the narrow-band role.
            threads: batches whose engine computes at once; changes speed, never results.

        Raises:
            BundleError: two bundles, or no calibration.
        """
        self._engine = by_role(engines, frozenset({NARROWBAND_ROLE})).get(NARROWBAND_ROLE)
        self._threads = threads
        self._turns = threading.Semaphore(threads)
        self._uses = () if self._engine is None else (self._engine.use(),)

    def engines(self) -> tuple[EngineUse, ...]:
        """Return the engine that takes part, if any."""
        return self._uses

    def workers(self) -> int:
        """Return one more than the threads of the engine."""
        return self._threads + 1

    def classify(self, items: Sequence[Spectrum]) -> Verdicts:
        """Classify n >= 1 pseudo-spectra."""
        if self._engine is None:
            return unserved_verdicts(items)
        watch = Watch()
        manifest = self._engine.bundle.manifest
        prepared = prepare_bands(items, manifest.bands)
        watch.stop("preprocess")
        with self._turns:
            watch.start()
            outputs = self._engine.engine.run({"flux": prepared.flux, "inverse_variance": prepared.inverse_variance})
            watch.stop(manifest.name)
        watch.start()
        verdicts = narrowband_verdicts(self._engine.answer(outputs), prepared)
        watch.stop("verdict")
        return replace(verdicts, stage_seconds=watch.seconds)
