"""What one engine said of a batch of spectra, and which rows of it may be published."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from classifiers.bundle.calibration import Calibration
from classifiers.bundle.manifest import LINE_OUTPUTS, SURVEY_HIGH_Z, Manifest
from classifiers.classifier import Lines
from classifiers.engine import Arrays
from classifiers.items import Spectrum
from classifiers.preprocess.prepare import PreparedBatch
from classifiers.quality import Quality
from classifiers.verdict.conformal import p_values
from classifiers.verdict.outputs import column, faulty_rows
from classifiers.verdict.probabilities import sigmoid
from classifiers.verdict.unknown import DomainCheck, check_domain

Flags = NDArray[np.bool_]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Answer:
    """Outputs of one engine, with what is needed to read them."""

    manifest: Manifest
    calibration: Calibration
    outputs: Arrays


@dataclass(frozen=True, slots=True)
class AnsweredRows:
    """Which rows of an answer count.

    Attributes:
        domain: where the rows stand against the bundle's domain.
        absent: (n,) bool, nothing of this engine may be published.
        faulty: (n,) bool, absent because the engine answered NaN or inf.
    """

    domain: DomainCheck
    absent: Flags
    faulty: Flags

    @property
    def short(self) -> Flags:
        """Return (n,) bool, where the coverage is below the domain's ``full_coverage``."""
        return np.asarray(self.domain.quality & int(Quality.SHORT_COVERAGE) > 0)


def answered_rows(answer: Answer, spectra: Sequence[Spectrum], prepared: PreparedBatch) -> AnsweredRows:
    """Return which rows of an answer count: those with data on the grid, of a served kind, and finite."""
    limits = answer.manifest.domain
    power = np.array(
        [np.nan if spectrum.resolving_power is None else spectrum.resolving_power for spectrum in spectra], np.float64
    )
    served = np.array([s.medium in limits.mediums and s.sampling in limits.samplings for s in spectra])
    domain = check_domain(limits, coverage=prepared.coverage, snr=prepared.snr, resolving_power=power, served=served)
    unseen = prepared.coverage <= 0
    faulty = faulty_rows(answer.outputs) & ~unseen
    return AnsweredRows(domain, unseen | faulty | ~served, faulty)


def qso_columns(answer: Answer, absent: Flags, surveys: Sequence[str]) -> dict[str, Floats]:
    """Return the L2 columns of a ``qso`` engine.

    Args:
        answer: of the engine.
        absent: (n,) bool, nothing of it may be published.
        surveys: n survey names; one with a redshift threshold of its own is answered at that.
    """
    outputs, calibration = answer.outputs, answer.calibration
    quasar = column(sigmoid(outputs["qso_logit"], calibration.qso_temperature), absent)
    default = np.nan if answer.manifest.qso_z_threshold is None else answer.manifest.qso_z_threshold
    threshold, logit = np.full(len(absent), default), outputs["high_z_logit"]
    for place, own in enumerate(answer.manifest.survey_qso_z_thresholds):
        rows = np.array([survey == own.survey for survey in surveys], np.bool_)
        threshold[rows] = own.redshift
        logit = np.where(rows, outputs[SURVEY_HIGH_Z][:, place], logit)
    distant = sigmoid(logit, calibration.high_z_temperature)
    error = column(outputs["redshift_qso_error"], absent) * calibration.redshift_error_factor
    return {
        "p_qso": quasar,
        "p_qso_high_z": quasar * distant,
        "p_bal": column(sigmoid(outputs["bal_logit"], calibration.bal_temperature), absent),
        "redshift_qso": column(outputs["redshift_qso"], absent),
        "redshift_qso_error": error,
        "qso_z_threshold": threshold,
    }


def anomaly_columns(answer: Answer, absent: Flags, short: Flags) -> dict[str, Floats]:
    """Return the L2 columns of an ``anomaly`` engine; ``short``: (n,) bool, spectra that lack wavelengths."""
    outputs, grid, calibration = answer.outputs, answer.manifest.grid, answer.calibration
    columns = {
        "anomaly_score": column(outputs["score"], absent),
        "map_x": column(outputs["map"][:, 0], absent),
        "map_y": column(outputs["map"][:, 1], absent),
    }
    if calibration.novelty is not None:
        p = p_values(calibration.novelty, columns["anomaly_score"])
        if calibration.short_coverage is not None:
            p = np.where(short, p_values(calibration.short_coverage.novelty, columns["anomaly_score"]), p)
        columns["anomaly_p_value"] = p
    if grid is not None:
        strongest, largest = strongest_piece(outputs["contribution"])
        silent = absent | ~(largest > 0)
        columns["anomaly_wavelength_angstrom"] = column(grid.grid().centres_angstrom[strongest], silent)
    return columns


def strongest_piece(contribution: NDArray[np.float32]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return where the largest contribution is, the middle of the pixels that share it, and how large it is: (n,) each.

    An engine may judge pixels together and give each what all of them add.

    Args:
        contribution: (n, pixel) float32.
    """
    first = contribution.argmax(axis=1)
    largest = contribution[np.arange(len(first)), first]
    before = np.arange(contribution.shape[1]) < first[:, None]
    alike = (contribution == largest[:, None]) | before
    last = np.where(alike.all(axis=1), contribution.shape[1], alike.argmin(axis=1)) - 1
    return (first + last) // 2, largest


def measured_lines(answer: Answer, absent: Flags, scale: Floats) -> Lines | None:
    """Return line measurements, fluxes in the unit of ``scale`` times Angstrom; None where the bundle measures none.

    Graphs give no errors of widths.
    """
    if not answer.manifest.lines:
        return None
    flux, error, width, velocity = (column(answer.outputs[name], absent) for name in LINE_OUTPUTS)
    unknown = np.full_like(flux, np.nan)
    flux, error = flux * scale[:, None], error * scale[:, None]
    return Lines(answer.manifest.lines, flux, error, width, unknown, velocity, unknown)
