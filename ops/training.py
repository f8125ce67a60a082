"""Which bundles `specstream train` knows, with the sizes that the shipped ones were trained at. Needs torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from classifiers.bundle.folder import MANIFEST_FILE
from classifiers.training import bundles
from classifiers.training.calibration import calibrate_bundles
from classifiers.training.narrowband.train import train_narrowband_bundle
from classifiers.training.stamps.train import train_stamp_bundle
from classifiers.training.train import train_bundle

STAMPS: Final = "stamp-anomaly"
NARROWBAND: Final = "jpas-qso-finder"
DEFAULTS: Final[Mapping[str, tuple[int, int]]] = {**bundles.DEFAULTS, STAMPS: (20_480, 14), NARROWBAND: (160_000, 30)}
"""Simulations and epochs by bundle."""


def train_named(
    bundle: str,
    seed: int,
    n: int | None,
    epochs: int | None,
    folder: Path,
    progress: Callable[[str, float], None],
) -> bool:
    """Train a bundle of ``DEFAULTS`` and write it to ``folder``.

    The spectral bundles are calibrated together, because the novelty score fuses two of them: as soon as the classifier
    and the anomaly detector lie beside each other under their own names, they (and the QSO finder) are calibrated.

    Returns:
        Whether the bundle is calibrated.
    """
    default_n, default_epochs = DEFAULTS[bundle]
    number, passes = n or default_n, epochs or default_epochs
    if bundle == STAMPS:
        train_stamp_bundle(seed, number, passes, folder, progress)
        return True
    if bundle == NARROWBAND:
        train_narrowband_bundle(seed, number, passes, folder, progress)
        return True
    train_bundle(bundle, seed, number, passes, folder, progress)
    models = folder.resolve().parent
    together = [models / name for name in (bundles.SPECTRAL_CLASSIFIER, bundles.ANOMALY)]
    if folder.name != bundle or not all((path / MANIFEST_FILE).is_file() for path in together):
        return False
    calibrate_bundles(models, progress=progress)
    return True
