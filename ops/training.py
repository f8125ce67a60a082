"""Which bundles `specstream train` knows, with the sizes that the shipped ones were trained at. Needs torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from classifiers.training.bundles import BUNDLES
from classifiers.training.stamps.train import train_stamp_bundle
from classifiers.training.train import DEFAULT_EPOCHS, DEFAULT_N, train_bundle

STAMPS: Final = "stamp-anomaly"
STAMP_N, STAMP_EPOCHS = 40_000, 10
DEFAULTS: Final[Mapping[str, tuple[int, int]]] = {
    **dict.fromkeys(BUNDLES, (DEFAULT_N, DEFAULT_EPOCHS)),
    STAMPS: (STAMP_N, STAMP_EPOCHS),
}
"""Simulations and epochs by bundle."""


def train_named(
    bundle: str,
    seed: int,
    n: int | None,
    epochs: int | None,
    folder: Path,
    progress: Callable[[str, float], None],
) -> None:
    """Train a bundle of ``DEFAULTS`` and write it to ``folder``."""
    default_n, default_epochs = DEFAULTS[bundle]
    number, passes = n or default_n, epochs or default_epochs
    if bundle == STAMPS:
        train_stamp_bundle(seed, number, passes, folder, progress)
    else:
        train_bundle(bundle, seed, number, passes, folder, progress)
