"""Build the simulator's basis from public templates and the noise shapes of real spectra.

Inputs are the files of the data folder's ``spectra`` room. Noise, mask and edge statistics come from the inverse
variances of real spectra (never from their flux or labels); everything else from templates.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from classifiers.training.simulation.basis import write_basis
from classifiers.training.simulation.building_noise import noise_arrays
from classifiers.training.simulation.grid import Float64
from classifiers.training.simulation.labels import fold_star_residuals, star_template_residuals
from classifiers.training.simulation.low_rank import STAR_LOG10_START, low_rank, on_star_grid
from classifiers.training.simulation.scheme import FOLDED_STAR_TYPES, OTHER_TYPES, STAR_TYPES
from classifiers.training.simulation.star_labels import WINDOW_LOG10, template_class

INPUTS = (
    "desi_real.npz",
    "desisim_templates.npz",
    "emiles_ssp.npz",
    "fourmost_etc.npz",
    "gasnet3_encoder_population.npz",
    "pyhammer_sdss_stars.npz",
    "real_labels.csv",
    "real_spectra.npz",
    "redrock_templates.npz",
    "sdss_speigen.npz",
    "sky_models.npz",
)
Progress = Callable[[str, float], None]
_WINDOW = slice(*(round((edge - STAR_LOG10_START) / 1e-4) for edge in WINDOW_LOG10))
# Stars differ from their template by 3 to 5 % of the flux, nearly all by less than 10 %.
_LARGEST_RESIDUAL = 0.1**2
# Classes differ by fractions of a per cent (K1 from K3: 0.4 %), less than few vectors would keep otherwise.
_TEMPLATE_CARE = 4.0
# Pixels squared: SDSS's own templates fit PyHammer's K stars best, and H alpha of its F stars, when they are convolved
# with a Gaussian of this variance (medians 0.4 and 0.6); spectra of BOSS's stars are as sharp as those templates.
_BLUR = 0.5
_YOUNGEST_GYR, _YOUNGEST_END_ANGSTROM = 0.1, 8935.0


def build_basis(spectra_folder: Path, output: Path, seed: int = 1, progress: Progress | None = None) -> dict[str, Any]:
    """Derive the basis and write it.

    Args:
        spectra_folder: folder of the template files named in ``INPUTS``.
        output: the ``.npz`` to write.
        seed: of the random draws from template populations.
        progress: called with what is being done and the fraction done.

    Returns:
        The provenance: seed and sha256 of each input.

    Raises:
        FileNotFoundError: an input is absent; the message names it.
    """
    absent = [name for name in INPUTS if not (spectra_folder / name).is_file()]
    if absent:
        raise FileNotFoundError(f"{spectra_folder} lacks {', '.join(absent)}, which the simulator basis is built from")
    rng = np.random.default_rng(seed)
    files = {name: np.load(spectra_folder / name, allow_pickle=False) for name in INPUTS if name.endswith(".npz")}
    arrays: dict[str, Any] = {}
    steps: tuple[tuple[str, Callable[[], dict[str, Any]]], ...] = (
        ("stars", lambda: _stars(files, rng)),
        ("other types", lambda: _others(files, rng)),
        ("galaxies", lambda: _galaxies(files, rng)),
        ("quasars", lambda: _quasars(files, rng)),
        ("noise", lambda: noise_arrays(files, spectra_folder / "real_labels.csv")),
    )
    for done, (what, step) in enumerate(steps):
        if progress is not None:
            progress(what, done / len(steps))
        arrays |= {name: _compact(value) for name, value in step().items()}
    provenance = {
        "seed": seed,
        "inputs": {name: hashlib.sha256((spectra_folder / name).read_bytes()).hexdigest() for name in INPUTS},
    }
    write_basis(output, arrays, provenance)
    if progress is not None:
        progress("done", 1.0)
    return provenance


def _compact(value: Any) -> Any:
    array = np.asarray(value)
    return array.astype(np.float16) if array.dtype.kind == "f" else array


def _redrock(files: dict[str, Any], letter: str, count: int, rng: np.random.Generator) -> Float64:
    """Draw spectra of one stellar family from its eigenvectors and archetype coefficients."""
    name = f"STAR-{letter}-v0.1__"
    source = files["redrock_templates.npz"]
    coefficients = source[name + "coeff"]
    chosen = coefficients[rng.choice(len(coefficients), count, replace=False)]
    spectra = on_star_grid((chosen @ source[name + "flux"]).astype(np.float64), float(source[name + "loglam"][0]))
    return np.asarray(spectra[np.nanmin(spectra, axis=1) > -0.3])


def _named(files: dict[str, Any], archive: str, prefix: str, wanted: Callable[[str], bool]) -> Float64:
    source = files[archive]
    rows = [row for row, name in enumerate(source[prefix + "names"]) if wanted(str(name))]
    return on_star_grid(source[prefix + "flux"][rows].astype(np.float64), float(source[prefix + "loglam"][0]))


def _stars(files: dict[str, Any], rng: np.random.Generator) -> dict[str, Any]:
    """A to K stars with the class that fits each best, and the templates that decide on it at the noise."""
    scheme = (*STAR_TYPES, *FOLDED_STAR_TYPES)
    source = files["sdss_speigen.npz"]
    names = [str(name) for name in source["spEigenStar-53724__names"]]
    names = [name for name in names if template_class(name) is not None]
    templates = _named(files, "sdss_speigen.npz", "spEigenStar-53724__", lambda name: name in names)
    defining = np.flatnonzero([name in scheme for name in names])
    mk = "AFGK"
    families = [
        templates[defining],
        _sharpened(_named(files, "pyhammer_sdss_stars.npz", "", lambda name: name[0] in mk)),
        _named(files, "sdss_speigen.npz", "spEigenStar-55734__", lambda name: name[0] in mk and "p" not in name[:4]),
        *(_redrock(files, letter, count, rng) for letter, count in zip(mk, (50, 60, 120, 200), strict=True)),
    ]
    spectra = np.concatenate(families)
    care = np.where(np.arange(len(spectra)) < defining.size, _TEMPLATE_CARE, 1.0)[:, None]
    coefficients, vectors = low_rank(spectra * care, rank=48)
    coefficients /= care.astype(np.float32)
    clean = coefficients @ vectors
    known = templates[defining][:, _WINDOW].astype(np.float32)
    residuals = np.full((len(clean), defining.size), np.inf)
    for shift in range(-4, 5):
        shifted = np.roll(clean, shift, axis=1)[:, _WINDOW]
        residuals = np.minimum(residuals, star_template_residuals(shifted, known))
    folded = fold_star_residuals(residuals, tuple(names[row] for row in defining))
    keep = folded.min(axis=1) < _LARGEST_RESIDUAL
    return {
        "star_vectors": vectors,
        "star_coefficients": coefficients[keep],
        "star_observed": np.arange(len(spectra))[keep] < sum(len(family) for family in families[:3]),
        "star_class": folded[keep].argmin(axis=1).astype(np.int8),
        "template_flux": np.nan_to_num(templates),
        "template_class": np.array([template_class(name) for name in names], np.int8),
    }


def _others(files: dict[str, Any], rng: np.random.Generator) -> dict[str, Any]:
    """Stars outside the scheme: M, L and T, white dwarfs, carbon stars, O and B stars (CV and SKY are drawn later)."""
    cool, boss, hammer = "spEigenStar-53724__", "spEigenStar-55734__", "pyhammer_sdss_stars.npz"
    speigen = "sdss_speigen.npz"
    early = tuple(
        f"{letter}{digit}" for letter in "OB" for digit in range(10) if f"{letter}{digit}" not in ("B8", "B9")
    )
    groups: dict[str, list[Float64]] = {
        "M": [
            _named(files, speigen, cool, lambda name: name[0] == "M"),
            _named(files, speigen, boss, lambda name: name[0] == "M"),
            _sharpened(_named(files, hammer, "", lambda name: name[0] == "M")),
            _redrock(files, "M", 60, rng),
        ],
        "LT": [
            _named(files, speigen, cool, lambda name: name[0] in "LT"),
            _named(files, hammer, "", lambda name: name[0] == "L"),
            _named(files, speigen, boss, lambda name: name == "Ldwarf"),
        ],
        "WD": [
            _named(files, speigen, cool, lambda name: name.startswith("WD")),
            _named(files, speigen, boss, lambda name: "WD" in name),
            _redrock(files, "WD", 60, rng),
            _white_dwarf_models(files),
        ],
        "CARBON": [
            _named(files, speigen, cool, lambda name: name.startswith("Carbon")),
            _named(files, speigen, boss, lambda name: name == "Carbon"),
        ],
        "OB": [
            _named(files, speigen, cool, lambda name: name in ("O", "OB", "B6")),
            _named(files, speigen, boss, lambda name: name[:2] in early or name.startswith("O")),
            _named(files, hammer, "", lambda name: name[:2] in early),
            _hotter_than_a0(files, _redrock(files, "B", 40, rng)),
        ],
    }
    spectra = np.concatenate([np.concatenate(parts) for parts in groups.values()])
    counts = {name: sum(len(part) for part in parts) for name, parts in groups.items()}
    coefficients, vectors = low_rank(np.clip(spectra, -1.0, 30.0), rank=40)
    source = files["sdss_speigen.npz"]
    cataclysmic = on_star_grid(source["spEigenCVstar-55734__flux"].astype(np.float64), 3.5504)
    cataclysmic = np.nan_to_num(cataclysmic)
    return {
        "other_vectors": vectors,
        "other_coefficients": coefficients,
        "other_type": np.repeat([OTHER_TYPES.index(name) for name in counts], list(counts.values())).astype(np.int8),
        "cv_vectors": cataclysmic / np.sqrt(np.mean(cataclysmic**2, axis=1, keepdims=True)),
    }


def _sharpened(spectra: Float64) -> Float64:
    """Undo what PyHammer's means over many stars add to the variance of lines, see ``_BLUR``."""
    sharp = spectra.copy()
    sharp[:, 1:-1] -= 0.5 * _BLUR * (spectra[:, 2:] - 2.0 * spectra[:, 1:-1] + spectra[:, :-2])
    return sharp


def _hotter_than_a0(files: dict[str, Any], spectra: Float64) -> Float64:
    """Return the spectra, (n, STAR_PIXELS), that templates of O and B stars fit better than that of A0."""
    hot = _named(files, "sdss_speigen.npz", "spEigenStar-53724__", lambda name: name in ("A0", "B6", "O", "OB"))
    flux, known = (rows[:, _WINDOW].astype(np.float32) for rows in (spectra, hot))
    return np.asarray(spectra[star_template_residuals(flux, known).argmin(axis=1) != 0])


def _white_dwarf_models(files: dict[str, Any]) -> Float64:
    """DA and DB models, resampled from their coarse rest-frame grid."""
    source = files["desisim_templates.npz"]
    axis = 3.53 + 1e-4 * np.arange(5100)
    models = np.array([np.interp(10**axis, source["wd_wave"], row) for row in source["wd"]])
    return on_star_grid(models, 3.53)


def _galaxies(files: dict[str, Any], rng: np.random.Generator) -> dict[str, Any]:
    ssp = files["emiles_ssp.npz"]
    flux = ssp["flux"].astype(np.float64)
    flux[flux <= 0] = np.nan
    _continue_youngest(flux, ssp["age_gyr"], ssp["met"], 10.0 ** (ssp["loglam"][0] + 1e-4 * np.arange(flux.shape[1])))
    medians = np.nanmedian(flux[:, 3500:4500], axis=1, keepdims=True)
    redshift = files["gasnet3_encoder_population.npz"]["GALAXY__z"]
    return {
        "ssp_flux": np.nan_to_num(flux / medians),
        "ssp_age_gyr": ssp["age_gyr"],
        "galaxy_redshift": np.sort(rng.choice(redshift, 2000, replace=False)),
    }


def _continue_youngest(flux: Float64, age_gyr: Float64, metallicity: Any, wavelength: Float64) -> None:
    """Give populations below 0.1 Gyr, which end at 8956 Angstrom, what the next older one has beyond; in place.

    That of 0.089 Gyr and [M/H] = 0.22 goes on, at 0.6 of what its neighbours have.
    """
    beside = slice(*np.searchsorted(wavelength, (8800.0, _YOUNGEST_END_ANGSTROM)))
    for row in np.flatnonzero(age_gyr < _YOUNGEST_GYR):
        older = np.flatnonzero((metallicity == metallicity[row]) & (age_gyr >= _YOUNGEST_GYR))
        donor = flux[older[age_gyr[older].argmin()]]
        scale = np.median(flux[row, beside]) / np.median(donor[beside])
        flux[row, beside.stop :] = scale * donor[beside.stop :]


def _quasars(files: dict[str, Any], rng: np.random.Generator) -> dict[str, Any]:
    source = files["desisim_templates.npz"]
    axis = np.arange(2.93, 4.0164, 5e-4)
    vectors = np.array([np.interp(10**axis, source["qso_sdss_wave"], row) for row in source["qso_sdss_eigen"]])
    spectra = source["qso_sdss_coeff"] @ vectors
    level = np.median(spectra[:, 700:1500], axis=1)
    good = (level > 0) & (np.percentile(spectra[:, 500:], 1, axis=1) > 0)
    norms = np.sqrt(np.mean(vectors**2, axis=1))
    population = files["gasnet3_encoder_population.npz"]
    chosen = np.sort(rng.choice(len(population["QSO__z"]), 5000, replace=False))
    return {
        "qso_vectors": vectors / norms[:, None],
        "qso_coefficients": (source["qso_sdss_coeff"] * norms / level[:, None])[good],
        "qso_redshift": source["qso_sdss_z"][good],
        "line_vectors": population["QSO__eigen"],
        "line_coefficients": population["QSO__coeff"][chosen],
        "line_redshift": population["QSO__z"][chosen],
        "bal_transmission": np.clip(np.round(source["bal"] * 200.0), 0, 255).astype(np.uint8),
    }
