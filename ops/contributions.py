"""What each bin of a spectrum adds to its anomaly score: L2 records name the strongest, pictures show them all."""

from __future__ import annotations

import numpy as np

from classifiers.bundle.folder import load_bundle
from classifiers.items import Spectrum
from classifiers.loaded import LoadedEngine, load_engines
from classifiers.preprocess.prepare import prepare
from classifiers.runtimes.opening import RuntimeOptions
from ops.engines import bundle_folders
from ops.plots.spectrum import Contributions
from stream.settings import Settings

ROLE = "anomaly"


class AnomalyDetector:
    """The configured bundle of role ``anomaly``, on the processor whatever serves."""

    def __init__(self, loaded: LoadedEngine) -> None:
        self._loaded = loaded

    @staticmethod
    def configured(settings: Settings) -> AnomalyDetector | None:
        """Return the detector of the configuration; None where it has none for spectra.

        Raises:
            ConfigurationError: a bundle is not there.
            ClassifierError: a bundle is not intact.
        """
        mine = [folder for folder in bundle_folders(settings) if load_bundle(folder).manifest.role == ROLE]
        if not mine:
            return None
        (loaded,) = load_engines(mine[:1], RuntimeOptions("onnxruntime", device="cpu"))
        return AnomalyDetector(loaded)

    def contributions(self, item: Spectrum) -> Contributions | None:
        """Return what each bin adds; None where no bin of the grid was seen."""
        grid = self._loaded.bundle.manifest.grid
        if grid is None or item.sampling != "DISPERSED":
            return None
        prepared = prepare([item], grid.grid())
        seen = prepared.inverse_variance[0] > 0
        if not seen.any():
            return None
        inputs = {"flux": prepared.flux, "inverse_variance": prepared.inverse_variance}
        chi2 = self._loaded.engine.run(inputs)["contribution"][0].astype(np.float64)
        return Contributions(grid.grid().centres_angstrom, np.where(seen, chi2, np.nan))
