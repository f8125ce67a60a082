"""The classifier of the narrow-band lane: preparation, engine and verdict; the engine may be missing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from classifiers.classifier import Verdicts
from classifiers.items import Spectrum
from classifiers.loaded import LoadedEngine
from classifiers.narrowband.prepare import prepare_bands
from classifiers.one_engine import OneEngineLane
from classifiers.verdict.narrowband import narrowband_verdicts, unserved_verdicts
from classifiers.watch import Watch

NARROWBAND_ROLE = "narrowband"


class NarrowbandSuite(OneEngineLane):
    """The narrow-band lane: one engine or none; a ``Classifier`` of ``Spectrum`` with sampling NARROWBAND.

    Without an engine every record is answered OUT_OF_DOMAIN: nothing here serves it.
    """

    def __init__(self, engines: Sequence[LoadedEngine], threads: int = 1) -> None:
        """Check the engine; arguments and errors as in ``OneEngineLane``."""
        super().__init__(NARROWBAND_ROLE, engines, threads)

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
        return replace(verdicts, nominal=self._nominal(items, verdicts), stage_seconds=watch.seconds)
