"""The classifiers of the lanes, from the bundles that are given, and one that does nothing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np

from classifiers.bundle.folder import MANIFEST_FILE
from classifiers.bundle.manifest import SPECTRAL_ROLES
from classifiers.classifier import Classifier, EngineUse, Verdicts
from classifiers.images.suite import IMAGE_ROLE, ImageSuite
from classifiers.items import Spectrum, Stamps
from classifiers.loaded import LoadedEngine, load_engines
from classifiers.narrowband.suite import NARROWBAND_ROLE, NarrowbandSuite
from classifiers.runtimes.opening import RuntimeOptions
from classifiers.spectral.suite import SpectralSuite
from classifiers.verdict.blank import without_classes

Lane: TypeAlias = Literal["spectrum", "image", "narrowband"]
MODELS = Path(__file__).parent / "models"


class NullClassifier:
    """No engines and no preparation: empty verdicts, to measure everything else; a ``Classifier`` of anything."""

    def engines(self) -> tuple[EngineUse, ...]:
        """Return nothing."""
        return ()

    def workers(self) -> int:
        """Return 1."""
        return 1

    def classify(self, items: Sequence[Spectrum] | Sequence[Stamps]) -> Verdicts:
        """Return verdicts that say nothing of n items."""
        return without_classes({}, np.zeros(len(items), np.int64))


def default_bundles() -> tuple[Path, ...]:
    """Return the folders of the bundles that ship, by name."""
    return tuple(sorted(path.parent for path in MODELS.glob(f"*/{MANIFEST_FILE}")))


def suites(engines: Sequence[LoadedEngine], threads: int = 1) -> dict[Lane, Classifier]:
    """Return the classifier of each lane; a lane without engines still prepares, and says only what that tells.

    Args:
        engines: of any roles.
        threads: batches of a lane whose engines compute at once; changes speed, never results.
    """
    spectral = [loaded for loaded in engines if loaded.bundle.manifest.role in SPECTRAL_ROLES]
    images = [loaded for loaded in engines if loaded.bundle.manifest.role == IMAGE_ROLE]
    narrowband = [loaded for loaded in engines if loaded.bundle.manifest.role == NARROWBAND_ROLE]
    return {
        "spectrum": SpectralSuite(spectral, threads),
        "image": ImageSuite(images, threads),
        "narrowband": NarrowbandSuite(narrowband, threads),
    }


def open_suites(
    paths: Sequence[Path], options: RuntimeOptions | None = None, threads: int = 1
) -> dict[Lane, Classifier]:
    """Load bundles and return the classifier of each lane; see ``load_engines`` and ``suites``."""
    return suites(load_engines(paths, options), threads)
