"""The real spectra that bundles are evaluated on: items as the stream would give them, and their labels.

Labels are the surveys' own, with three corrections: blank-sky fibres are sky whatever their pipeline said; several
epochs of one object count as one object; MK names that are no SDSS template are mapped to the class of the template
that fits PyHammer's stars of that type best (exact template names are kept, and reported apart).
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from classifiers.items import Axis, GridAxis, Spectrum, quality_of
from classifiers.preprocess.overstated import with_measured_errors
from classifiers.preprocess.padding import without_padding
from classifiers.training.simulation.grid import LOG10_START, LOG10_STEP, PIXELS, Float32
from classifiers.training.simulation.labels import fold_star_residuals, star_template_residuals
from classifiers.training.simulation.low_rank import STAR_LOG10_START, on_star_grid
from classifiers.training.simulation.scheme import FOLDED_STAR_TYPES, STAR_TYPES

_SKY_SOURCE, _REAL_ROWS_OF_SKY_SOURCE = "lukekevin", 4
_REPEATED_SOURCE = "pyqsofit"
_TEMPLATE_NAMES = {name: FOLDED_STAR_TYPES.get(name, name) for name in (*STAR_TYPES, *FOLDED_STAR_TYPES)}
# MK types of metal-poor stars follow lines that the templates, of about solar abundance, show at earlier types.
_METAL_POOR = re.compile(r"_-[12]\.")
_MK = re.compile(r"([OBAFGKM]\d)")


@dataclass(frozen=True, slots=True)
class RealLabel:
    """What is known of one real spectrum.

    Attributes:
        row: in the file.
        survey: SDSS, BOSS, LAMOST ...
        group: GALAXY, QSO, STAR, SKY, OTHER (a star outside the scheme) or "" (unknown).
        class_name: of the 13 classes, or None.
        exact_type: the survey's star type is the name of a template (kept as it is).
        other_type: M, LT, WD, CV, CARBON, OB, SKY or None.
        redshift: the survey's.
        object_id: the same for several epochs of one object.
        snr: the survey's median S/N.
    """

    row: int
    survey: str
    group: str
    class_name: str | None
    exact_type: bool
    other_type: str | None
    redshift: float
    object_id: str
    snr: float


def real_spectra(spectra_folder: Path) -> tuple[list[Spectrum], list[RealLabel]]:
    """Read the labelled real spectra.

    Args:
        spectra_folder: holds ``real_spectra.npz``, ``real_labels.csv`` and the template files that types are mapped by.

    Returns:
        Items and labels, in the order of the file.

    Raises:
        FileNotFoundError: a file is absent.
    """
    with (spectra_folder / "real_labels.csv").open(newline="", encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    mapped = star_class_by_type(spectra_folder)
    labels = [_label(row, mapped) for row in rows]
    with np.load(spectra_folder / "real_spectra.npz", allow_pickle=False) as stored:
        scale = stored["scale"].astype(np.float32)[:, None]
        flux = stored["flux"].astype(np.float32) * scale
        inverse_variance = stored["ivar"].astype(np.float32) / scale**2
    return native_spectra(flux, inverse_variance), labels


def native_spectra(flux: Float32, inverse_variance: Float32) -> list[Spectrum]:
    """Return spectra on the native vacuum grid, (n, 4671) float32 each, as items; weight 0 is masked."""
    axis = GridAxis("LOG10", LOG10_START, LOG10_STEP, PIXELS)
    return [barycentric(axis, f, w) for f, w in zip(flux, inverse_variance, strict=True)]


def barycentric(axis: Axis, flux: Float32, weight: Float32) -> Spectrum:
    """Return one spectrum in vacuum and the barycentric frame, (n,), as decoding gives it; weight 0 is masked."""
    spectrum = Spectrum(
        axis=axis,
        medium="VACUUM",
        flux=flux,
        uncertainty=weight,
        uncertainty_kind="IVAR",
        flux_unit="1e-17 erg/s/cm2/Angstrom",
        quality=without_padding(flux, weight, quality_of(weight > 0)),
        velocity_correction_km_s=0.0,
        resolving_power=1900.0,
        sampling="DISPERSED",
        sky_fibre=False,
    )
    return with_measured_errors(spectrum)


def star_class_by_type(spectra_folder: Path) -> dict[str, str]:
    """Map MK types (A7, G3 ...) to one of the seven star types by fitting PyHammer's spectra of that type."""
    with np.load(spectra_folder / "sdss_speigen.npz", allow_pickle=False) as stored:
        names = [str(name) for name in stored["spEigenStar-53724__names"]]
        rows = [row for row, name in enumerate(names) if name in _TEMPLATE_NAMES]
        templates = on_star_grid(stored["spEigenStar-53724__flux"][rows].astype(np.float64), 3.578)
    with np.load(spectra_folder / "pyhammer_sdss_stars.npz", allow_pickle=False) as stored:
        stars = on_star_grid(stored["flux"].astype(np.float64), float(stored["loglam"][0]))
        hammer = [str(name) for name in stored["names"]]
    window = slice(round((3.583 - STAR_LOG10_START) / 1e-4), round((3.962 - STAR_LOG10_START) / 1e-4))
    residuals = star_template_residuals(stars[:, window].astype(np.float32), templates[:, window].astype(np.float32))
    best = fold_star_residuals(residuals, tuple(names[row] for row in rows)).argmin(axis=1)
    votes: dict[str, Counter[str]] = {}
    for name, index in zip(hammer, best, strict=True):
        if name[0] in "AFGK" and not _METAL_POOR.search(name):
            votes.setdefault(name[:2], Counter())[STAR_TYPES[index]] += 1
    chosen = {mk: counts.most_common(1)[0][0] for mk, counts in votes.items()}
    wanted = [f"{letter}{digit}" for letter in "AFGK" for digit in range(8 if letter == "K" else 10)]
    return {mk: chosen[min(chosen, key=lambda near: (abs(_rank(near) - _rank(mk)), near))] for mk in wanted}


def _rank(mk: str) -> int:
    return 10 * "AFGK".index(mk[0]) + int(mk[1])


def _label(row: dict[str, str], mapped: dict[str, str]) -> RealLabel:
    number, source, subclass = int(row["row"]), row["source"], row["subclass"]
    redshift = float(row["z"]) if row["z"] else float("nan")
    group, class_name, exact, other = _classify(row["cls"], subclass, mapped)
    if source == _SKY_SOURCE and number >= _REAL_ROWS_OF_SKY_SOURCE:
        group, class_name, exact, other = "SKY", None, False, "SKY"
    repeated = _REPEATED_SOURCE in source and row["cls"] == "QSO"
    identity = f"{_REPEATED_SOURCE}-{redshift:.2f}" if repeated else row["key"]
    snr = float(row["sn_median"]) if row["sn_median"] else float("nan")
    return RealLabel(number, row["survey"], group, class_name, exact, other, redshift, identity, snr)


def _classify(cls: str, subclass: str, mapped: dict[str, str]) -> tuple[str, str | None, bool, str | None]:
    if cls == "GALAXY":
        known = {"": "nan", "AGN": "AGN", "STARBURST": "STARBURST", "STARFORMING": "STARFORMING"}.get(subclass)
        return "GALAXY", None if known is None else f"GALAXY_{known}", False, None
    if cls == "QSO":
        if "BROADLINE" in subclass:
            return "QSO", "QSO_BROADLINE", False, None
        return "QSO", "QSO_nan" if subclass == "" else None, False, None
    if cls != "STAR":
        return "", None, False, None
    if subclass in _TEMPLATE_NAMES:
        return "STAR", f"STAR_{_TEMPLATE_NAMES[subclass]}", True, None
    outside = _other_type(subclass)
    if outside is not None:
        return "OTHER", None, False, outside
    found = _MK.search(subclass)
    star = mapped.get(found.group(1)) if found else None
    return "STAR", None if star is None else f"STAR_{star}", False, None


def _other_type(subclass: str) -> str | None:
    if "WD" in subclass:
        return "WD"
    if subclass.startswith("Carbon"):
        return "CARBON"
    if subclass == "CV":
        return "CV"
    spectral = subclass.lstrip("dg")
    if spectral.startswith("M"):
        return "M"
    if spectral[:1] in ("L", "T"):
        return "LT"
    return "OB" if spectral[:1] in ("O", "B") else None


def unique_objects(labels: Sequence[RealLabel]) -> list[int]:
    """Return the positions of the first spectrum of each object."""
    seen: set[str] = set()
    first: list[int] = []
    for position, label in enumerate(labels):
        if label.object_id not in seen:
            seen.add(label.object_id)
            first.append(position)
    return first
