"""Make the star templates that radial velocities and star types are measured with (``classifiers.stars.templates``).

    python -m classifiers.training.star_templates --spectra ../shared/data/spectra

writes ``classifiers/stars/templates.npz`` anew: those of SDSS's star templates (spEigenStar-53724; Bolton et al. 2012,
AJ 144, 144, Sect. 3.2) that define the seven star types, each divided by the exponential of a quartic in log
wavelength, since the fit multiplies it by a polynomial anyway. The same input gives the same file.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from pathlib import Path

import numpy as np

from classifiers.stars.templates import FILE
from classifiers.training.simulation.scheme import FOLDED_STAR_TYPES, STAR_TYPES

INPUT = "sdss_speigen.npz"
_EDGE = 12
_ORDER = 4


def build(spectra_folder: Path, path: Path = FILE) -> None:
    """Write the templates.

    Args:
        spectra_folder: holds ``sdss_speigen.npz``.
        path: file to write.

    Raises:
        FileNotFoundError: the input is absent.
    """
    source = spectra_folder / INPUT
    with np.load(source, allow_pickle=False) as stored:
        everything = [str(name) for name in stored["spEigenStar-53724__names"]]
        rows = [row for row, name in enumerate(everything) if name in (*STAR_TYPES, *FOLDED_STAR_TYPES)]
        flux = stored["spEigenStar-53724__flux"][rows].astype(np.float64)
        start, step = (round(float(value), 7) for value in stored["spEigenStar-53724__loglam"])
    names = [everything[row] for row in rows]
    covered = np.flatnonzero((flux > 0).all(axis=0))
    window = slice(covered[0] + _EDGE, covered[-1] + 1 - _EDGE)
    logarithm = np.log(flux[:, window])
    x = np.linspace(-1.0, 1.0, logarithm.shape[1])
    smooth = np.polynomial.chebyshev.chebfit(x, logarithm.T, _ORDER)
    relative = np.exp(logarithm - np.polynomial.chebyshev.chebval(x, smooth))
    provenance = {"inputs": {INPUT: hashlib.sha256(source.read_bytes()).hexdigest()}, "set": "spEigenStar-53724"}
    np.savez_compressed(
        path,
        flux=relative.astype(np.float32),
        names=np.array(names),
        star_type=np.array([FOLDED_STAR_TYPES.get(name, name) for name in names]),
        log10_start=round(start + step * int(window.start), 7),
        log10_step=step,
        provenance=np.array(json.dumps(provenance, sort_keys=True)),
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Write classifiers/stars/templates.npz.")
    parser.add_argument("--spectra", type=Path, default=Path("../shared/data/spectra"), help=f"folder of {INPUT}")
    build(parser.parse_args().spectra)
