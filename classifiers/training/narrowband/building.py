"""Build the narrow-band basis: band weights from measured filter curves, and stars that reach as far as the bands do.

The spectral simulator's stars begin at 3507 Angstrom, the bluest band at 3186; the stellar eigenvectors used here begin
at 3003 and end at 10965 Angstrom. Galaxies and quasars come from the spectral simulator's own basis.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from classifiers.training.narrowband.bands import LOG10_START, LOG10_STEP, NAMES, PIXELS, REFERENCE
from classifiers.training.simulation.basis import write_basis
from classifiers.training.simulation.grid import Float64

INPUTS = ("jpas_filters.npz", "redrock_templates.npz", "desisim_templates.npz")
STAR_FAMILIES = ("B", "A", "F", "G", "K", "M", "WD")
_PER_FAMILY = 400
_LEAST_FLUX = -0.02


def build_narrowband_basis(spectra_folder: Path, output: Path, seed: int = 1) -> dict[str, Any]:
    """Derive the basis and write it.

    Args:
        spectra_folder: folder of the files named in ``INPUTS``.
        output: the ``.npz`` to write.
        seed: of the draw from the stellar populations.

    Returns:
        The provenance: seed and sha256 of each input.

    Raises:
        FileNotFoundError: an input is absent; the message names it.
    """
    absent = [name for name in INPUTS if not (spectra_folder / name).is_file()]
    if absent:
        raise FileNotFoundError(
            f"{spectra_folder} lacks {', '.join(absent)}, which the narrow-band basis is built from"
        )
    filters, redrock, desisim = (np.load(spectra_folder / name, allow_pickle=False) for name in INPUTS)
    arrays: dict[str, Any] = {
        "band_weights": np.array([band_weights(*filters[name].astype(np.float64).T) for name in (*NAMES, REFERENCE)])
    }
    rng = np.random.default_rng(seed)
    for family in STAR_FAMILIES:
        arrays |= _family(redrock, family, rng)
    arrays["star_CV_vectors"] = _on_grid(redrock["STAR-CV-v0.1__flux"], float(redrock["STAR-CV-v0.1__loglam"][0]))
    arrays["star_WD_models"] = _models(desisim["wd_wave"].astype(np.float64), desisim["wd"].astype(np.float64))
    provenance = {
        "seed": seed,
        "inputs": {name: hashlib.sha256((spectra_folder / name).read_bytes()).hexdigest() for name in INPUTS},
    }
    write_basis(output, {name: _compact(value) for name, value in arrays.items()}, provenance)
    return provenance


def band_weights(wavelength_angstrom: Float64, throughput: Float64) -> Float64:
    """Return the share of each grid pixel in a band's photon-weighted mean of F_lambda: (1085,), sum 1.

    int T lambda d(lambda) over each pixel, exact for curves that are linear between their samples.

    Args:
        wavelength_angstrom: (m,) ascending.
        throughput: (m,) total throughput per photon, any scale.
    """
    edges = 10.0 ** (LOG10_START + LOG10_STEP * (np.arange(PIXELS + 1) - 0.5))
    axis = np.union1d(edges, wavelength_angstrom)
    photons = np.interp(axis, wavelength_angstrom, np.clip(throughput, 0.0, None), left=0.0, right=0.0) * axis
    integral = np.concatenate([[0.0], np.cumsum(0.5 * (photons[1:] + photons[:-1]) * np.diff(axis))])
    shares = np.diff(np.interp(edges, axis, integral))
    return np.asarray(shares / shares.sum())


def _family(redrock: Any, family: str, rng: np.random.Generator) -> dict[str, Float64]:
    name = f"STAR-{family}-v0.1__"
    vectors = _on_grid(redrock[name + "flux"], float(redrock[name + "loglam"][0]))
    coefficients = redrock[name + "coeff"].astype(np.float64)
    spectra = coefficients @ vectors
    level = np.median(spectra, axis=1)
    usable = np.flatnonzero((level > 0) & (spectra.min(axis=1) > _LEAST_FLUX * level))
    chosen = np.sort(rng.choice(usable, min(_PER_FAMILY, usable.size), replace=False))
    size = np.sqrt(np.mean(vectors**2, axis=1))
    return {
        f"star_{family}_vectors": vectors / size[:, None],
        f"star_{family}_coefficients": coefficients[chosen] * size / level[chosen, None],
    }


def _on_grid(rows: Any, log10_start: float) -> Float64:
    """Average rows of step 1e-4 onto the grid; the last pixel of a row stands for what lies beyond it."""
    kernel = np.ones(5) / 5.0
    axis = log10_start + 1e-4 * np.arange(rows.shape[1])
    smooth = [np.convolve(np.pad(row.astype(np.float64), 2, mode="edge"), kernel, mode="valid") for row in rows]
    return np.array([np.interp(LOG10_START + LOG10_STEP * np.arange(PIXELS), axis, row) for row in smooth])


def _models(wavelength_angstrom: Float64, flux: Float64) -> Float64:
    axis = 10.0 ** (LOG10_START + LOG10_STEP * np.arange(PIXELS))
    models = np.array([np.interp(axis, wavelength_angstrom, row) for row in flux])
    return np.asarray(models / np.median(models, axis=1, keepdims=True))


def _compact(value: Float64) -> Any:
    return np.asarray(value).astype(np.float16 if np.abs(value).max() > 1e-2 else np.float32)
