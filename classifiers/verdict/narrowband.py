"""Verdicts on narrow-band pseudo-spectra; every row is a function of its own outputs alone.

P(QSO) and P(QSO above the threshold) are sums of the calibrated class probabilities, so that the numbers of a record
never disagree with each other.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from classifiers.classifier import Verdicts
from classifiers.items import Spectrum
from classifiers.preprocess.prepare import PreparedBatch
from classifiers.quality import Quality
from classifiers.verdict.answers import Answer
from classifiers.verdict.blank import without_classes
from classifiers.verdict.novelty import judged_by_coverage
from classifiers.verdict.outputs import column, faulty_rows
from classifiers.verdict.probabilities import entropy, softmax
from classifiers.verdict.unknown import check_domain, constant_rows, decide, negative_rows
from classifiers.verdict.zwarn import LOW_SNR, SHORT_COVERAGE, UNKNOWN_CLASS

Flags = NDArray[np.bool_]
Floats = NDArray[np.float64]


def unserved_verdicts(items: Sequence[Spectrum]) -> Verdicts:
    """Return the verdicts where no narrow-band bundle is loaded: all of them OUT_OF_DOMAIN."""
    n = len(items)
    nothing, everything = np.zeros(n, np.bool_), np.ones(n, np.bool_)
    unknown, reasons = decide(
        bad=nothing, outside=everything, no_signal=nothing, low_snr=nothing, other_known=nothing, novel=nothing
    )
    sky = np.array([int(Quality.SKY_FIBRE) * item.sky_fibre for item in items], np.int64)
    columns = {"snr": np.full(n, np.nan), "coverage": np.zeros(n)}
    return without_classes(columns, sky, unknown=unknown, reasons=reasons)


def narrowband_verdicts(answer: Answer, prepared: PreparedBatch) -> Verdicts:
    """Return the verdicts on n pseudo-spectra.

    Args:
        answer: outputs of the ``narrowband`` engine.
        prepared: what it read.
    """
    manifest, calibration, outputs = answer.manifest, answer.calibration, answer.outputs
    n = len(prepared.coverage)
    nothing = np.zeros(n, np.bool_)
    domain = check_domain(
        manifest.domain, coverage=prepared.coverage, snr=prepared.snr, resolving_power=np.full(n, np.nan),
        served=~nothing,
    )  # fmt: skip
    unseen = prepared.coverage <= 0
    faulty = faulty_rows(outputs) & ~unseen
    absent = unseen | faulty
    bad = faulty | (constant_rows(prepared.flux, prepared.inverse_variance) & ~unseen) | negative_rows(prepared.snr)
    columns: dict[str, Floats] = {"snr": prepared.snr, "coverage": prepared.coverage}
    columns["anomaly_score"] = column(outputs["score"], absent)
    columns["anomaly_wavelength_angstrom"] = _strongest(answer, absent)
    novel = nothing
    if calibration.novelty is not None:
        part = None if calibration.short_coverage is None else calibration.short_coverage.novelty
        short = (domain.quality & int(Quality.SHORT_COVERAGE)) > 0
        p_value, novel = judged_by_coverage(calibration.novelty, part, columns["anomaly_score"], short, calibration)
        columns["anomaly_p_value"] = columns["unknown_p_value"] = p_value
    logits = np.where(absent[:, None], np.float32(0), outputs["class_logits"]).astype(np.float64)
    probabilities = softmax(logits / calibration.temperature)
    top = probabilities.argmax(axis=1)
    star = np.isin(top, _indices(answer, manifest.star_classes))
    columns |= _class_columns(answer, probabilities, absent, star)
    unknown, reasons = decide(
        bad=bad, outside=domain.outside, no_signal=domain.no_signal, low_snr=domain.low_snr, other_known=nothing,
        novel=novel,
    )  # fmt: skip
    probabilities[absent] = np.nan
    return Verdicts(
        class_scheme=manifest.class_scheme,
        class_names=manifest.class_names,
        class_probabilities=probabilities,
        top_class=np.where(absent, -1, top).astype(np.int64),
        columns=columns,
        zwarn=_warnings(answer, columns["redshift"], prepared, unknown),
        other_type=[None] * n,
        unknown=unknown,
        unknown_reason=reasons,
        unknown_rate=calibration.alpha,
        quality_flags=prepared.quality_flags | faulty * int(Quality.NON_FINITE_OUTPUT) | domain.quality,
        alternative_class=np.empty((n, 0), np.int64),
        alternative_redshift=np.empty((n, 0)),
        alternative_probability=np.empty((n, 0)),
    )


def _class_columns(answer: Answer, probabilities: Floats, absent: Flags, star: Flags) -> dict[str, Floats]:
    manifest, calibration, outputs = answer.manifest, answer.calibration, answer.outputs
    still, factor = absent | star, calibration.redshift_error_factor
    threshold = np.nan if manifest.qso_z_threshold is None else manifest.qso_z_threshold
    return {
        "entropy": column(entropy(probabilities), absent),
        "p_qso": column(_sum_of(probabilities, _indices(answer, manifest.qso_classes)), absent),
        "p_qso_high_z": column(_sum_of(probabilities, _indices(answer, manifest.high_z_classes)), absent),
        "qso_z_threshold": np.full(len(absent), threshold),
        "redshift": column(outputs["redshift"], still),
        "redshift_error": column(outputs["redshift_error"], still) * factor,
        "redshift_qso": column(outputs["redshift_qso"], absent),
        "redshift_qso_error": column(outputs["redshift_qso_error"], absent) * factor,
    }


def _indices(answer: Answer, names: Sequence[str]) -> list[int]:
    return [answer.manifest.class_names.index(name) for name in names]


def _sum_of(probabilities: Floats, classes: Sequence[int]) -> Floats:
    """Return the probability of some classes, (n,), added one after the other and never above 1."""
    total = np.zeros(len(probabilities))
    for index in classes:
        total += probabilities[:, index]
    return np.minimum(total, 1.0)


def _strongest(answer: Answer, absent: Flags) -> Floats:
    """Return the wavelength of the band that contributes most to the score, NaN where none does."""
    contribution = answer.outputs["contribution"]
    strongest = contribution.argmax(axis=1)
    silent = absent | ~(contribution[np.arange(len(absent)), strongest] > 0)
    return column(np.array([band.wavelength_angstrom for band in answer.manifest.bands])[strongest], silent)


def _warnings(answer: Answer, redshift: Floats, prepared: PreparedBatch, unknown: Flags) -> NDArray[np.int64]:
    """Return ``zwarn``: bits for low S/N, short coverage and an unknown class, -1 where there is no redshift."""
    manifest = answer.manifest
    bits = np.zeros(len(redshift), np.int64)
    if manifest.zwarn_snr is not None:
        bits |= LOW_SNR * (prepared.snr < manifest.zwarn_snr)
    bits |= SHORT_COVERAGE * (prepared.coverage < manifest.zwarn_coverage) | UNKNOWN_CLASS * unknown
    return np.where(np.isnan(redshift), -1, bits)
