"""Copies of bundles with a calibration for another runtime or number format: what they said is measured there anew."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from classifiers.bundle.calibration import Calibration, calibration_file
from classifiers.bundle.errors import BundleError
from classifiers.bundle.folder import Bundle, load_bundle, write_bundle
from classifiers.bundle.manifest import SPECTRAL_ROLES
from classifiers.images.suite import IMAGE_ROLE
from classifiers.narrowband.suite import NARROWBAND_ROLE
from classifiers.runtimes.opening import RuntimeOptions, open_engine
from classifiers.training.calibration import DEFAULT_N, calibrate_bundles
from classifiers.training.narrowband import calibrating as narrowband
from classifiers.training.narrowband.simulator import NarrowbandSimulator
from classifiers.training.stamps import calibrating as stamps

Progress = Callable[[str, float], None]
LEAST_SHARE = 6
"""Stamps and pseudo-spectra are calibrated on this many times fewer objects than spectra."""


def recalibrated(
    folders: Sequence[Path], to: Path, options: RuntimeOptions, progress: Progress, n: int = DEFAULT_N
) -> list[Path]:
    """Copy bundles and calibrate the copies for a runtime.

    Args:
        folders: bundles; of spectral roles the classifier and the anomaly bundle come together.
        to: folder that the copies' folders go into, named as the bundles are; what is there of a name is replaced.
        options: runtime and number format, both by name.
        progress: told what is done and the fraction of it.
        n: held-out simulated spectra.

    Returns:
        The copies' folders, in the order given.

    Raises:
        RuntimeUnavailable: it cannot serve.
        BundleError: a bundle is not intact, or a classifier or anomaly bundle is missing beside the other.
        TooFewKnown: n is too small for the declared rates.
    """
    bundles = [load_bundle(folder) for folder in folders]
    spectral = [bundle for bundle in bundles if bundle.manifest.role in SPECTRAL_ROLES]
    roles = {bundle.manifest.role for bundle in spectral}
    if spectral and not {"spectral_classifier", "anomaly"} <= roles:
        raise BundleError("bundles", expected="a spectral classifier and an anomaly bundle", found=", ".join(roles))
    copies = []
    for bundle in bundles:
        copy = to / bundle.manifest.name
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(bundle.folder, copy)
        copies.append(copy)
    if spectral:
        calibrate_bundles(to, n, progress=progress, options=options)
    for bundle, copy in zip(bundles, copies, strict=True):
        if bundle.manifest.role == IMAGE_ROLE:
            _add(load_bundle(copy), _of_stamps(bundle, options, n // LEAST_SHARE, progress))
        elif bundle.manifest.role == NARROWBAND_ROLE:
            _add(load_bundle(copy), _of_pseudo_spectra(bundle, options, n // LEAST_SHARE, progress))
    return copies


def _identifier(bundle: Bundle, options: RuntimeOptions) -> str:
    manifest = bundle.manifest
    return f"{manifest.name}-{manifest.version}-simulated-{manifest.training.seed}-{options.runtime}-{options.dtype}"


def _of_stamps(bundle: Bundle, options: RuntimeOptions, n: int, progress: Progress) -> Calibration:
    engine = open_engine(bundle, options)
    found = stamps.held_out(engine, bundle.manifest.training.seed, n, progress)
    return stamps.stamp_calibration(_identifier(bundle, options), engine, found)


def _of_pseudo_spectra(bundle: Bundle, options: RuntimeOptions, n: int, progress: Progress) -> Calibration:
    progress("simulate pseudo-spectra", 0.0)
    engine = open_engine(bundle, options)
    mocks, inputs = narrowband.held_out(NarrowbandSimulator.load(), bundle.manifest.training.seed, n)
    outputs = engine.run({"flux": inputs.flux, "inverse_variance": inputs.inverse_variance})
    return narrowband.narrowband_calibration(_identifier(bundle, options), engine, mocks, inputs, outputs)


def _add(bundle: Bundle, calibration: Calibration) -> None:
    files = {name: (bundle.folder / name).read_bytes() for name in bundle.manifest.files}
    files[calibration_file(calibration.runtime, calibration.dtype)] = (calibration.model_dump_json() + "\n").encode()
    write_bundle(bundle.folder, bundle.manifest.model_dump(exclude={"files"}), files)
