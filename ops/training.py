"""Which bundles `specstream train` knows, with the sizes that the shipped ones were trained at. Needs torch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from classifiers.bundle.folder import MANIFEST_FILE
from classifiers.runtimes.device.contract import DeviceLost, OutOfMemory
from classifiers.runtimes.device.failures import failure
from classifiers.runtimes.opening import Place
from classifiers.runtimes.probing import why_not
from classifiers.runtimes.tensorrt.card import find_card
from classifiers.training import bundles
from classifiers.training.calibration import DEFAULT_N, calibrate_bundles
from classifiers.training.devices import CPU, CUDA, Device
from classifiers.training.journal.journal import Journal
from classifiers.training.latent_map.remaking import remake_map
from classifiers.training.narrowband.train import N_CALIBRATION, N_TEST, train_narrowband_bundle
from classifiers.training.stamps.train import N_CALIBRATION as STAMPS_CALIBRATION
from classifiers.training.stamps.train import train_stamp_bundle
from classifiers.training.train import train_bundle
from stream.errors import ConfigurationError, Fatal

STAMPS: Final = "stamp-anomaly"
NARROWBAND: Final = "jpas-qso-finder"
DEFAULTS: Final[Mapping[str, tuple[int, int]]] = {**bundles.DEFAULTS, STAMPS: (28_672, 14), NARROWBAND: (160_000, 60)}
"""Simulations and epochs by bundle."""
Progress = Callable[[str, float], None]


@dataclass(frozen=True, slots=True)
class Request:
    """What to train; None stands for what the bundle that ships was trained with.

    Attributes:
        bundle: of ``DEFAULTS``.
        seed: of everything random.
        n: simulations to train on.
        epochs: passes over them.
        held_out: further simulations to calibrate and measure on.
        classifier: folder of the classifier bundle on whose trunk the QSO finder and the anomaly detector are trained.
        device: that computes.
    """

    bundle: str
    seed: int
    n: int | None = None
    epochs: int | None = None
    held_out: int | None = None
    classifier: Path | None = None
    device: Device = CPU


def chosen_device(
    asked: Place, why_not: Callable[[str], str] = why_not, tell: Callable[[str], None] = lambda _: None
) -> Device:
    """Return the device that was asked for; ``auto`` is a GPU that torch computes on, else the processor.

    Args:
        asked: auto, cuda or cpu.
        why_not: returns why a runtime, torch, cannot compute on a GPU here; "" where it can.
        tell: told in one line why ``auto`` trains on the processor where a GPU is there.

    Raises:
        ConfigurationError: a GPU was asked for by name, and torch computes on none.
    """
    if asked == "cpu":
        return CPU
    reason = why_not("torch")
    if reason and asked == "cuda":
        raise ConfigurationError(f"--device cuda: {reason}")
    if reason and find_card() is not None:
        tell(f"training on the CPU: {reason}")
    return CPU if reason else CUDA


@contextmanager
def failures_told() -> Iterator[None]:
    """Say in one line that a device failed or had no room.

    Raises:
        Fatal: it did; epochs that a journal keeps are not lost.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        found = failure(error, 0)
        if not isinstance(found, DeviceLost | OutOfMemory):
            raise
        what = "has no memory left" if isinstance(found, OutOfMemory) else "failed"
        raise Fatal(f"train: the device {what}: {found.reason}; --resume goes on after the last epoch") from error


def train_named(request: Request, folder: Path, progress: Progress, journal: Journal) -> bool:
    """Train a bundle and write it to ``folder``.

    The spectral bundles are calibrated together, because the novelty score fuses two of them: as soon as the classifier
    and the anomaly detector lie beside each other under their own names, they (and the QSO finder) are calibrated.

    Args:
        request: what to train.
        folder: of the bundle.
        progress: called with what is being done and the fraction done.
        journal: keeps state and losses of each epoch, and is resumed.

    Returns:
        Whether the bundle is calibrated.
    """
    default_n, default_epochs = DEFAULTS[request.bundle]
    number, passes = request.n or default_n, request.epochs or default_epochs
    common: dict[str, Any] = {"journal": journal, "device": request.device}
    if request.bundle == STAMPS:
        common["n_calibration"] = request.held_out or STAMPS_CALIBRATION
        train_stamp_bundle(request.seed, number, passes, folder, progress, **common)
        return True
    if request.bundle == NARROWBAND:
        common |= {"n_calibration": request.held_out or N_CALIBRATION, "n_test": request.held_out or N_TEST}
        train_narrowband_bundle(request.seed, number, passes, folder, progress, **common)
        return True
    common["classifier"] = request.classifier
    train_bundle(request.bundle, request.seed, number, passes, folder, progress, **common)
    return _calibrated(request, folder, progress)


def remake_named(request: Request, folder: Path, progress: Progress) -> bool:
    """Fit the map of the anomaly bundle in ``folder`` anew, and nothing else of it; returns as ``train_named``."""
    remake_map(folder, progress, request.device)
    return _calibrated(request, folder, progress)


def _calibrated(request: Request, folder: Path, progress: Progress) -> bool:
    models = folder.resolve().parent
    together = [models / name for name in (bundles.SPECTRAL_CLASSIFIER, bundles.ANOMALY)]
    if folder.resolve().name != request.bundle or not all((path / MANIFEST_FILE).is_file() for path in together):
        return False
    calibrate_bundles(models, request.held_out or DEFAULT_N, progress=progress)
    return True
