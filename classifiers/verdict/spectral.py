"""Verdicts on spectra from the outputs of up to three engines; every row is a function of its own outputs alone.

The first of ``LEADS`` that is present decides domain and declared rate. Where an engine's answer is absent (nothing on
the grid, a medium or sampling that its bundle does not serve, NaN or inf in its outputs) its columns are NaN, its
probabilities are NaN and its top class is -1: absent, never published.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from classifiers.classifier import Verdicts
from classifiers.items import Spectrum
from classifiers.preprocess.prepare import PreparedBatch
from classifiers.quality import Quality
from classifiers.quasars.absorption import LEAST_REDSHIFT, with_evidence
from classifiers.verdict.answers import Answer, anomaly_columns, answered_rows, measured_lines, qso_columns
from classifiers.verdict.blank import without_classes
from classifiers.verdict.measured import Measured, measured_or, measured_velocities, with_measured_shares
from classifiers.verdict.noiseless import noiseless_rows
from classifiers.verdict.novelty import novelty
from classifiers.verdict.outputs import column
from classifiers.verdict.probabilities import ClassProbabilities, entropy, with_other
from classifiers.verdict.redshift import (
    Own,
    alternatives,
    error_factors,
    of_the_published,
    with_abandoned,
    with_second,
)
from classifiers.verdict.unknown import constant_rows, decide, negative_rows, other_limits, weighed_other
from classifiers.verdict.zwarn import warnings

Flags = NDArray[np.bool_]
Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

LEADS = ("spectral_classifier", "anomaly", "qso")
QUASARS = "QSO"
"""Their classes begin so."""
LIKELY_ABSORBED = 0.5
SKY = "SKY"
"""The recognised type that means blank sky: NO_SIGNAL."""
LEAST_REDSHIFT_ERROR = 4e-5
"""Of 1 + z: 12 km/s, which no wavelength scale is better than (``classifiers.spectral.measuring``)."""


def spectral_verdicts(
    spectra: Sequence[Spectrum],
    prepared: PreparedBatch,
    answers: Mapping[str, Answer],
    measured: Measured | None = None,
) -> Verdicts:
    """Return the verdicts on n spectra.

    Args:
        spectra: what came in; only its metadata are read.
        prepared: the same on the common grid.
        answers: by role: spectral_classifier, anomaly, qso; any of them may be missing.
        measured: lines and stars, and what rests on them; None where only the graph may have measured some.
    """
    n = len(spectra)
    rows = {role: answered_rows(answer, spectra, prepared) for role, answer in answers.items()}
    columns: dict[str, Floats] = {"snr": prepared.snr, "coverage": prepared.coverage}
    lead = next((role for role in LEADS if role in answers), None)
    if lead is None:
        return without_classes(columns, prepared.quality_flags)
    if "qso" in answers:
        columns |= qso_columns(answers["qso"], rows["qso"].absent, [spectrum.survey for spectrum in spectra])
    if "anomaly" in answers:
        columns |= anomaly_columns(answers["anomaly"], rows["anomaly"].absent, rows["anomaly"].short)
    columns["unknown_p_value"], novel = novelty(answers, rows, n)
    domain = rows[lead].domain
    faulty = np.logical_or.reduce([each.faulty for each in rows.values()])
    bad = faulty | negative_rows(prepared.snr)
    bad |= constant_rows(prepared.flux, prepared.inverse_variance) & (prepared.coverage > 0)
    bad |= noiseless_rows(prepared.flux, prepared.inverse_variance)
    quality = prepared.quality_flags | faulty * int(Quality.NON_FINITE_OUTPUT) | domain.quality
    if lead != "spectral_classifier":
        nothing = np.zeros(n, np.bool_)
        unknown, reasons = decide(
            bad=bad, outside=domain.outside, no_signal=domain.no_signal, low_snr=domain.low_snr,
            other_known=nothing, novel=novel,
        )  # fmt: skip
        return without_classes(columns, quality, unknown=unknown, reasons=reasons, rate=answers[lead].calibration.alpha)
    answer, absent = answers[lead], rows[lead].absent
    manifest, calibration, outputs = answer.manifest, answer.calibration, answer.outputs
    probabilities = with_other(
        np.where(absent[:, None], np.float32(0), outputs["class_logits"]), calibration.temperature
    )
    if measured is not None:
        probabilities = with_measured_shares(probabilities, measured)
    top = probabilities.classes.argmax(axis=1)
    star = np.isin(top, [manifest.class_names.index(name) for name in manifest.star_classes])
    families = np.array([*(name.partition("_")[0] for name in manifest.class_names), ""])
    factors = error_factors(calibration, families[top], prepared.snr)
    columns |= _class_columns(answer, probabilities, absent, star, factors)
    found = chosen, redshift, probability = alternatives(outputs, absent, len(manifest.class_names))
    margin = outputs["redshift_margin"].astype(np.float64)
    own = _own_solution(answer, families, absent)
    elsewhere = ~absent & ~star & (families[own.chosen] != families[top])
    columns["redshift"] = np.where(
        elsewhere, of_the_published(found, families, own, families[top]), columns["redshift"]
    )
    columns["redshift_error"] = np.where(elsewhere, np.nan, columns["redshift_error"])
    margin = np.where(elsewhere, -1.0, margin)
    if measured is not None:
        lined = _leading(probabilities.classes, families[:-1]) == families[top]
        lined &= np.isfinite(columns["redshift"])
        for name in ("redshift", "redshift_error"):
            columns[name] = measured_or(getattr(measured, name), columns[name], lined)
        columns |= measured_velocities(measured, columns, absent | ~star)
        if "p_bal" in columns:
            columns["p_bal"] = with_evidence(columns["p_bal"], measured.absorption)
    other, types = _other_known(answer, probabilities, absent, rows[lead].short)
    sky = np.array([kind == SKY for kind in types])
    unknown, reasons = decide(
        bad=bad, outside=domain.outside, no_signal=domain.no_signal | sky, low_snr=domain.low_snr,
        other_known=other, novel=novel,
    )  # fmt: skip
    probabilities.classes[absent] = np.nan
    if measured is not None:
        alike = (families[chosen] == families[top][:, None]) & (chosen >= 0) & ~elsewhere[:, None]
        margin = with_abandoned(found, own.redshift, columns["redshift"], margin, own.probability, alike)
        second = ~absent & ~star & np.isfinite(measured.second_redshift)
        with_second(found, measured, np.flatnonzero(second), manifest.class_names)
        quality |= second * int(Quality.SECOND_REDSHIFT)
    if "p_bal" in columns:
        quasar = ~absent & np.char.startswith(np.array(manifest.class_names)[top], QUASARS)
        shown = quasar & (columns["redshift"] > LEAST_REDSHIFT)
        quality |= (shown & (columns["p_bal"] > LIKELY_ABSORBED)) * int(Quality.BROAD_ABSORPTION)
    lines = measured_lines(answer, absent, prepared.scale) if measured is None else measured.lines
    zwarn = warnings(
        manifest, columns["redshift"], columns["redshift_error"], margin, prepared.snr, prepared.coverage,
        families[top], unknown, lines,
    )  # fmt: skip
    return Verdicts(
        class_scheme=manifest.class_scheme,
        class_names=manifest.class_names,
        class_probabilities=probabilities.classes,
        top_class=np.where(absent, -1, top).astype(np.int64),
        columns=columns,
        zwarn=zwarn,
        other_type=types,
        unknown=unknown,
        unknown_reason=reasons,
        unknown_rate=calibration.alpha,
        quality_flags=quality,
        alternative_class=chosen,
        alternative_redshift=redshift,
        alternative_probability=probability,
        lines=lines,
    )


def _own_solution(answer: Answer, families: NDArray[np.str_], absent: Flags) -> Own:
    """Return what the network itself says of class and redshift, before temperature, lines and templates."""
    logits = np.where(absent[:, None], np.float32(0), answer.outputs["class_logits"])
    known = with_other(logits, 1.0).classes
    chosen = known.argmax(axis=1)
    share = np.where(families[None, :-1] == families[chosen][:, None], known, 0.0).sum(axis=1)
    return Own(chosen, answer.outputs["redshift"].astype(np.float64), share)


def _leading(classes: Floats, families: NDArray[np.str_]) -> NDArray[np.str_]:
    """Return the family of largest summed probability, (n,), which is what was measured of each object."""
    names = np.unique(families)
    sums = np.stack([np.where(families == name, classes, 0.0).sum(axis=1) for name in names.tolist()], axis=1)
    return np.asarray(names[sums.argmax(axis=1)])


def _class_columns(
    answer: Answer, probabilities: ClassProbabilities, absent: Flags, star: Flags, error_factor: Floats
) -> dict[str, Floats]:
    """Return entropies of the published probabilities, redshifts of what is no star and velocities of stars.

    The graph's entropy and mutual information are of untempered probabilities without what lines and templates say: of
    the published entropy the epistemic part is the graph's share, and the aleatoric part what remains.
    """
    outputs, calibration = answer.outputs, answer.calibration
    published = column(entropy(probabilities.classes), absent)
    own, told = (column(outputs[name], absent) for name in ("entropy", "mutual_information"))
    epistemic = published * np.clip(told / np.where(own > 0.0, own, np.inf), 0.0, 1.0)
    moving, still = absent | star, absent | ~star
    velocity_error = column(outputs["radial_velocity_error_km_s"], still)
    redshift = column(outputs["redshift"], moving)
    redshift_error = column(outputs["redshift_error"], moving) * error_factor
    return {
        "p_other": column(probabilities.other, absent),
        "entropy": published,
        "mutual_information": epistemic,
        "aleatoric_entropy": published - epistemic,
        "redshift": redshift,
        "redshift_error": np.maximum(redshift_error, LEAST_REDSHIFT_ERROR * (1.0 + redshift)),
        "radial_velocity_km_s": column(outputs["radial_velocity_km_s"], still),
        "radial_velocity_error_km_s": velocity_error * calibration.velocity_error_factor,
    }


def _other_known(
    answer: Answer, probabilities: ClassProbabilities, absent: Flags, short: Flags
) -> tuple[Flags, list[str | None]]:
    """Return where p_other, weighed by type, is above its calibrated threshold, and the recognised type there."""
    types: list[str | None] = [None] * len(absent)
    calibration, names = answer.calibration, answer.manifest.other_types
    weighed = weighed_other(probabilities.other, answer.outputs, names, calibration.other_odds)
    other = ~absent & (weighed > other_limits(calibration, short))
    if names:
        kinds = answer.outputs["other_type_probability"].argmax(axis=1)
        for row in np.flatnonzero(other).tolist():
            types[row] = names[int(kinds[row])]
    return other, types
