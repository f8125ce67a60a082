"""The stage between engines and verdict: lines of what looks like a galaxy or a quasar, velocities of stars.

Who is outside the scheme is decided first, by the network and by templates of stars (``classifiers.spectral.other``).

Redshifts of quasars are those of SDSS's eigenspectra (``classifiers.quasars``), and their lines are measured there;
where these say nothing, and for galaxies, redshifts are those of the lines, or the network's. Broad absorption is
looked for in them, and the lines of a second galaxy or quasar in what is bright enough.
A bundle whose graph measures lines itself is left alone. The weight of the rule against the network's own split within
a family, and the factors and floors of redshift errors, were chosen on simulated spectra only: the weight as the one of
the smallest negative log likelihood of the galaxies' subclasses, whose simulated labels follow the survey's rule.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from classifiers.classifier import Lines
from classifiers.items import GridAxis, Spectrum
from classifiers.lines.measure import MeasuredLines, measure_lines
from classifiers.lines.rule import GALAXY_SUBCLASSES, QSO_SUBCLASSES, subclasses
from classifiers.lines.table import C_KM_S, NAMES
from classifiers.preprocess.grid import COMMON_GRID
from classifiers.preprocess.plain import PlainMeans, plain_means
from classifiers.preprocess.prepare import PreparedBatch, prepare
from classifiers.quasars.absorption import absorption_evidence
from classifiers.quasars.redshift import measure_redshifts
from classifiers.quasars.second import LEAST_SNR, second_redshifts
from classifiers.spectral.other import published_probabilities
from classifiers.spectral.quasars import write_quasars
from classifiers.spectral.recession import stars_likelihood, write_recession
from classifiers.spectral.stars import is_measured, write_stars
from classifiers.stars.outside import outside_misfits
from classifiers.verdict.answers import Answer, answered_rows
from classifiers.verdict.measured import Measured, with_likelihood

Floats = NDArray[np.float64]

FAMILIES = {"GALAXY": GALAXY_SUBCLASSES, "QSO": QSO_SUBCLASSES}
RULE_WEIGHT = 0.85
"""Of the survey's rule; the rest is the network's split."""
REDSHIFT_ERROR_FACTOR = {"GALAXY": 1.7, "QSO": 2.2}
REDSHIFT_ERROR_FLOOR_KM_S = {"GALAXY": 12.0, "QSO": 100.0}
"""Errors of redshifts on lines are multiplied by the one and get the other added in quadrature.

For galaxies that is wavelength calibration, of which no simulated line knows (5 km/s in SDSS: Abazajian et al. 2009,
ApJS 182, 543, Sect. 4.4), and gas that does not move with the stars (some 10 km/s, in simulations, too).
"""
LEAST_EVIDENCE = 60.0
"""Sum of squared significances below which no redshift is taken from lines: the maximum may be one of noise.

Of simulated ones a fifth to a third lies beyond three times its error below it, 4 to 10 % above 100.
"""
_MOST_OTHER = 0.5  # above it a spectrum is something else, and has no lines of a galaxy or quasar
_REDSHIFTS = (-0.1, 8.0)


def measured(spectra: Sequence[Spectrum], prepared: PreparedBatch, answer: Answer) -> Measured | None:
    """Measure lines at the classifier's redshifts, and stars; None where the bundle measures lines itself.

    Args:
        spectra: n raw spectra.
        prepared: the same on the bundle's grid; lines read only their scale.
        answer: of the ``spectral_classifier``.
    """
    names = answer.manifest.class_names
    members = {family: np.flatnonzero([name.split("_")[0] == family for name in names]) for family in FAMILIES}
    if answer.manifest.lines or not (is_measured(answer.manifest) or any(place.size for place in members.values())):
        return None
    absent = answered_rows(answer, spectra, prepared).absent
    logits = np.where(absent[:, None], np.float32(0), answer.outputs["class_logits"])
    probabilities = published_probabilities(
        answer.manifest,
        answer.calibration.temperature,
        {**answer.outputs, "class_logits": logits},
        prepared.flux,
        prepared.inverse_variance,
    )
    classes = probabilities.classes
    others = np.setdiff1d(np.arange(len(names)), np.concatenate(list(members.values())))
    redshift = answer.outputs["redshift"].astype(np.float64)
    known = ~absent & (probabilities.other <= _MOST_OTHER)
    result = Measured.nothing(len(spectra), len(names), NAMES)
    result.p_other[:] = probabilities.other
    sums, lined = _families(classes, members, others)
    if is_measured(answer.manifest):
        stars = np.array([names.index(name) for name in answer.manifest.star_classes])
        rows = np.flatnonzero(known & ~lined & (_sum(classes, stars) >= _sum(classes, others)))
        write_stars(result, rows, prepared, names, classes)
        receding = stars_likelihood(result.radial_velocity_km_s, result.radial_velocity_error_km_s, prepared.snr)
        result.likelihood[:, stars] = receding[:, None]
        classes = with_likelihood(classes, result.likelihood)
        sums, lined = _families(classes, members, others)
        write_recession(result, np.flatnonzero(known & lined & (receding < 1.0)))
        redshift = np.where(np.isfinite(result.redshift), result.redshift, redshift)
    rows = np.flatnonzero(known & lined & (redshift > _REDSHIFTS[0]) & (redshift < _REDSHIFTS[1]))
    if rows.size == 0:
        return result
    quasar = (sums["QSO"] > sums["GALAXY"])[rows]
    chosen, scale = [spectra[row] for row in rows.tolist()], prepared.scale[rows]
    power = np.array([np.nan if each.resolving_power is None else each.resolving_power for each in chosen], np.float64)
    means = plain_means(chosen, COMMON_GRID, scale)
    write_quasars(result, rows, quasar, means, answer, redshift, sums["QSO"])
    looked_at = np.where(np.isfinite(result.redshift[rows]), result.redshift[rows], redshift[rows])
    result.absorption[rows] = absorption_evidence(
        means.flux, means.inverse_variance, np.where(quasar, looked_at, np.nan)
    )
    found = measure_lines(means.flux, means.inverse_variance, looked_at, quasar, power)
    _write_lines(result.lines, rows, found, scale)
    own_error = answer.outputs["redshift_error"].astype(np.float64) * answer.calibration.redshift_error_factor
    split = subclasses(found)
    for family, ruled, here in (("GALAXY", split.galaxy, ~quasar), ("QSO", split.qso, quasar)):
        places = np.flatnonzero(here)
        _write_redshifts(result, rows[places], found, places, family, own_error)
        wanted = [f"{family}_{name}" for name in FAMILIES[family]]
        if set(wanted) == {names[place] for place in members[family]}:
            columns = np.array([names.index(name) for name in wanted])
            at = rows[places][:, None], columns
            network = classes[at] / np.maximum(sums[family][rows[places]], 1e-300)[:, None]
            result.share[at] = RULE_WEIGHT * ruled[places] + (1.0 - RULE_WEIGHT) * network
    _write_second(result, rows, means, redshift, quasar, np.flatnonzero(prepared.snr[rows] >= LEAST_SNR))
    return result


def compile_loops() -> None:
    """Have the loops over pixels compiled, or what is kept of them loaded: once, in seconds, before a batch waits."""
    grid = COMMON_GRID
    axis, nothing = GridAxis("LOG10", grid.log10_start, grid.log10_step, grid.n), np.zeros(grid.n, np.float32)
    blank = Spectrum(axis, "VACUUM", nothing, nothing, "IVAR", "", None, 0.0, None, "DISPERSED", sky_fibre=False)
    prepared = prepare([blank], grid)
    means = plain_means([blank], grid, prepared.scale)
    measure_lines(means.flux, means.inverse_variance, np.zeros(1), np.zeros(1, np.bool_), np.full(1, np.nan))
    measure_redshifts(means.flux, means.inverse_variance, np.zeros((1, 1)), np.ones((1, 1)))
    outside_misfits(means.flux, means.inverse_variance)
    absorption_evidence(means.flux, means.inverse_variance, np.full(1, 2.0))
    second_redshifts(means.flux, means.inverse_variance, np.zeros(1), np.zeros(1, np.bool_))


def _write_second(
    result: Measured,
    rows: NDArray[np.int64],
    means: PlainMeans,
    redshift: Floats,
    quasar: NDArray[np.bool_],
    places: NDArray[np.int64],
) -> None:
    """Look for second objects in some of the spectra, at the redshifts that are published of the first."""
    if places.size:
        at = rows[places]
        first = np.where(np.isfinite(result.redshift[at]), result.redshift[at], redshift[at])
        found = second_redshifts(means.flux[places], means.inverse_variance[places], first, quasar[places])
        result.second_redshift[at], result.second_quasar[at] = found.redshift, found.quasar


def _families(
    classes: Floats, members: dict[str, NDArray[np.int64]], others: NDArray[np.int64]
) -> tuple[dict[str, Floats], NDArray[np.bool_]]:
    """Return the probability of each family with lines, (n,) each, and where one is as likely as all others: (n,)."""
    sums = {family: _sum(classes, places) for family, places in members.items()}
    return sums, np.maximum.reduce(list(sums.values())) >= _sum(classes, others)


def _sum(probabilities: Floats, columns: NDArray[np.int64]) -> Floats:
    total = np.zeros(len(probabilities))
    for column in columns.tolist():
        total += probabilities[:, column]
    return total


def _write_lines(lines: Lines, rows: NDArray[np.int64], found: MeasuredLines, scale: Floats) -> None:
    lines.flux[rows] = found.flux * scale[:, None]
    lines.flux_error[rows] = found.published_error * scale[:, None]
    lines.equivalent_width[rows] = found.equivalent_width
    lines.equivalent_width_error[rows] = found.equivalent_width_error
    lines.velocity_width[rows] = found.velocity_width
    lines.velocity_width_error[rows] = np.where(
        np.isfinite(found.velocity_width_error), found.velocity_width_error, np.nan
    )


def _write_redshifts(
    result: Measured,
    rows: NDArray[np.int64],
    found: MeasuredLines,
    places: NDArray[np.int64],
    family: str,
    own_error: Floats,
) -> None:
    """Take the redshift on the lines where none is measured, they are there, and its error is below the network's."""
    redshift = found.redshift[places]
    floor = REDSHIFT_ERROR_FLOOR_KM_S[family] / C_KM_S * (1.0 + redshift)
    error = np.hypot(REDSHIFT_ERROR_FACTOR[family] * found.redshift_error[places], floor)
    better = (error < own_error[rows]) & (evidence(found)[places] > LEAST_EVIDENCE) & np.isnan(result.redshift[rows])
    result.redshift[rows[better]] = redshift[better]
    result.redshift_error[rows[better]] = error[better]


def evidence(found: MeasuredLines) -> Floats:
    """Return the sum of the squared significances of the lines in emission, by their published errors: (n,)."""
    significance = np.nan_to_num(found.flux / np.where(found.published_error > 0, found.published_error, np.inf))
    return _sum(np.maximum(significance, 0.0) ** 2, np.arange(significance.shape[1]))
