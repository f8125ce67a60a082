"""Make the star templates that radial velocities and star types are measured with (``classifiers.stars.templates``).

    python -m classifiers.training.star_templates --spectra ../shared/data/spectra

writes ``classifiers/stars/templates.npz`` anew: those of SDSS's star templates (spEigenStar-53724; Bolton et al. 2012,
AJ 144, 144, Sect. 3.2) that define the seven star types, and some of stars outside the scheme (``OUTSIDE``), each
divided by the exponential of a quartic in log wavelength, since fits multiply it by a polynomial anyway. White dwarfs
are also taken from the set for BOSS (spEigenStar-55734), which has a hotter and a cooler one. M0V and M2V are left
out, since they are mostly noise, and so are later M dwarfs, L and T, which nobody takes for stars of the scheme, and
A0p and B9, which stand between A0 and B6. The same input gives the same file.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from classifiers.stars.templates import FILE
from classifiers.training.simulation.scheme import FOLDED_STAR_TYPES, STAR_TYPES

INPUT = "sdss_speigen.npz"
SET, BOSS_SET = "spEigenStar-53724", "spEigenStar-55734"
OUTSIDE = {
    SET: {
        "M1": "M", "M2": "M", "M3": "M", "M4": "M", "M5": "M", "WD": "WD", "O": "OB", "OB": "OB", "B6": "OB",
        "Carbon": "CARBON", "Carbon_lines": "CARBON",
    },
    BOSS_SET: {"WDcooler": "WD", "WDhotter": "WD"},
}  # fmt: skip
"""Templates of stars outside the scheme, by set, and what they are."""
_EDGE = 12
_ORDER = 4
_LEAST = 1e-3


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
        everything = [str(name) for name in stored[f"{SET}__names"]]
        names = [name for name in everything if name in (*STAR_TYPES, *FOLDED_STAR_TYPES)]
        start, step = (round(float(value), 7) for value in stored[f"{SET}__loglam"])
        flux = stored[f"{SET}__flux"][[everything.index(name) for name in names]].astype(np.float64)
        outside = np.concatenate([_rows(stored, which, start, flux.shape[1]) for which in OUTSIDE])
    covered = np.flatnonzero((flux > 0).all(axis=0))
    window = slice(covered[0] + _EDGE, covered[-1] + 1 - _EDGE)
    provenance = {"inputs": {INPUT: hashlib.sha256(source.read_bytes()).hexdigest()}, "set": SET}
    np.savez_compressed(
        path,
        flux=_relative(flux[:, window]),
        names=np.array(names),
        star_type=np.array([FOLDED_STAR_TYPES.get(name, name) for name in names]),
        outside_flux=_relative(outside[:, window]),
        outside_names=np.array([name for kinds in OUTSIDE.values() for name in kinds]),
        outside_star_type=np.array([kind for kinds in OUTSIDE.values() for kind in kinds.values()]),
        log10_start=round(start + step * int(window.start), 7),
        log10_step=step,
        provenance=np.array(json.dumps(provenance, sort_keys=True)),
    )


def _rows(stored: Mapping[str, NDArray[np.float32]], which: str, start: float, pixels: int) -> NDArray[np.float64]:
    """Return a set's templates outside the scheme on the pixels of ``SET``: the sets have one step."""
    names = [str(name) for name in stored[f"{which}__names"]]
    own, step = (float(value) for value in stored[f"{which}__loglam"])
    first = round((start - own) / step)
    rows = [names.index(name) for name in OUTSIDE[which]]
    return stored[f"{which}__flux"][rows, first : first + pixels].astype(np.float64)


def _relative(flux: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return templates over the exponential of a quartic; where noise makes flux negative, a thousandth of it."""
    least = _LEAST * np.median(flux, axis=1, keepdims=True)
    logarithm = np.log(np.maximum(flux, least))
    x = np.linspace(-1.0, 1.0, logarithm.shape[1])
    smooth = np.polynomial.chebyshev.chebfit(x, logarithm.T, _ORDER)
    return np.exp(logarithm - np.polynomial.chebyshev.chebval(x, smooth)).astype(np.float32)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Write classifiers/stars/templates.npz.")
    parser.add_argument("--spectra", type=Path, default=Path("../shared/data/spectra"), help=f"folder of {INPUT}")
    build(parser.parse_args().spectra)
