"""Make the eigenspectra that redshifts of quasars and second redshifts are found with (``classifiers.quasars``).

    python -m classifiers.training.quasar_templates --spectra ../shared/data/spectra

writes ``classifiers/quasars/eigenspectra.npz`` anew: orthonormal bases of what SDSS's four quasar eigenspectra span
(spEigenQSO-55732; Bolton et al. 2012, AJ 144, 144, Sect. 3.2), and of what its four of galaxies do (spEigenGal-56436),
where none of them is zero. The same input gives the same file.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from classifiers.quasars.eigenspectra import FILE

INPUT = "sdss_speigen.npz"
SET, GALAXY_SET = "spEigenQSO-55732", "spEigenGal-56436"


def build(spectra_folder: Path, path: Path = FILE) -> None:
    """Write the basis.

    Args:
        spectra_folder: holds ``sdss_speigen.npz``.
        path: file to write.

    Raises:
        FileNotFoundError: the input is absent.
    """
    source = spectra_folder / INPUT
    with np.load(source, allow_pickle=False) as stored:
        step = round(float(stored[f"{SET}__loglam"][1]), 7)
        (flux, start), (galaxy_flux, galaxy_start) = (
            _basis(stored[f"{name}__flux"].astype(np.float64), round(float(stored[f"{name}__loglam"][0]), 7), step)
            for name in (SET, GALAXY_SET)
        )
    digest = hashlib.sha256(source.read_bytes()).hexdigest()
    provenance = {"galaxy_set": GALAXY_SET, "inputs": {INPUT: digest}, "set": SET}
    np.savez_compressed(
        path,
        flux=flux,
        log10_start=start,
        log10_step=step,
        galaxy_flux=galaxy_flux,
        galaxy_log10_start=galaxy_start,
        provenance=np.array(json.dumps(provenance, sort_keys=True)),
    )


def _basis(flux: NDArray[np.float64], start: float, step: float) -> tuple[NDArray[np.float32], float]:
    """Return a basis of (4, pixel) eigenspectra where none is zero, and the log10 of its first wavelength."""
    covered = np.flatnonzero((flux != 0).all(axis=0))
    window = slice(covered[0], covered[-1] + 1)
    basis, triangle = np.linalg.qr(flux[:, window].T)
    basis *= np.sign(np.diagonal(triangle)) * np.sqrt(len(basis))
    return basis.T.astype(np.float32), round(start + step * int(window.start), 7)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Write classifiers/quasars/eigenspectra.npz.")
    parser.add_argument("--spectra", type=Path, default=Path("../shared/data/spectra"), help=f"folder of {INPUT}")
    build(parser.parse_args().spectra)
