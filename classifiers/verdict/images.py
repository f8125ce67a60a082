"""Verdicts on image alerts from the outputs of an ``image_anomaly`` engine.

Nothing is said, neither class nor score, of an alert whose difference image holds no measurement (BAD_DATA), which
has no valid pixel at all (OUT_OF_DOMAIN), or for which the engine answered NaN or inf (BAD_DATA).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from classifiers.classifier import Verdicts
from classifiers.images.prepare import SIDE, PreparedStamps
from classifiers.quality import Quality
from classifiers.verdict.answers import Answer
from classifiers.verdict.blank import without_classes
from classifiers.verdict.novelty import judged
from classifiers.verdict.outputs import column, faulty_rows
from classifiers.verdict.probabilities import entropy, softmax
from classifiers.verdict.unknown import check_domain, decide

IMAGES = ("SCIENCE", "TEMPLATE", "DIFFERENCE")


def image_verdicts(answer: Answer | None, prepared: PreparedStamps) -> Verdicts:
    """Return the verdicts on n alerts.

    Args:
        answer: outputs of the engine, or None without one.
        prepared: the alerts as the engine read them.
    """
    columns = {"snr": prepared.snr, "coverage": prepared.coverage}
    if answer is None:
        return without_classes(columns, prepared.quality_flags)
    manifest, calibration, outputs = answer.manifest, answer.calibration, answer.outputs
    n = len(prepared.snr)
    anything = np.ones(n, np.bool_)
    domain = check_domain(
        manifest.domain,
        coverage=prepared.coverage,
        snr=prepared.snr,
        resolving_power=np.full(n, np.nan),
        served=anything,
    )
    unseen = prepared.coverage <= 0
    faulty = faulty_rows(outputs) & ~unseen
    absent = unseen | faulty | prepared.blank
    columns["anomaly_score"] = column(outputs["score"], absent)
    columns["map_x"] = column(outputs["map"][:, 0], absent)
    columns["map_y"] = column(outputs["map"][:, 1], absent)
    columns["anomaly_x_pixel"], columns["anomaly_y_pixel"], images = _strongest(outputs["contribution"], absent)
    novel = ~anything
    if calibration.novelty is not None:
        p_value, novel = judged(calibration.novelty, columns["anomaly_score"], calibration)
        columns["anomaly_p_value"] = columns["unknown_p_value"] = p_value
    unknown, reasons = decide(
        bad=faulty | (prepared.blank & ~unseen), outside=domain.outside, no_signal=domain.no_signal,
        low_snr=domain.low_snr, other_known=~anything, novel=novel,
    )  # fmt: skip
    quality = prepared.quality_flags | faulty * int(Quality.NON_FINITE_OUTPUT) | domain.quality
    verdicts = without_classes(columns, quality, unknown=unknown, reasons=reasons, rate=calibration.alpha)
    verdicts = replace(verdicts, anomaly_image=images)
    if not manifest.class_names:
        return verdicts
    probabilities = _probabilities(outputs["class_logits"], absent, calibration.temperature)
    top = np.where(absent, -1, probabilities.argmax(axis=1)).astype(np.int64)
    columns["entropy"] = column(entropy(probabilities), absent)
    probabilities[absent] = np.nan
    return replace(
        verdicts,
        class_scheme=manifest.class_scheme,
        class_names=manifest.class_names,
        class_probabilities=probabilities,
        top_class=top,
    )


def _strongest(
    contribution: NDArray[np.float32], absent: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64], list[str | None]]:
    """Return where the pixel lies that adds most to each deviance: column and row from the middle one, and image.

    A prepared stamp has pixel n // 2 of a stamp of any size in its middle, so this is the offset in the stamp as sent.
    The novelty head, which looks at the whole, adds to the score as well.

    Args:
        contribution: (n, 3, 63, 63) float32.
        absent: (n,) bool, nothing of the engine may be published.
    """
    flat = contribution.reshape(len(absent), -1)
    strongest = flat.argmax(axis=1)
    silent = absent | ~(flat[np.arange(len(absent)), strongest] > 0)
    image, y, x = np.unravel_index(strongest, contribution.shape[1:])
    names = [None if nothing else IMAGES[index] for index, nothing in zip(image, silent, strict=True)]
    return column(x - SIDE // 2, silent), column(y - SIDE // 2, silent), names


def _probabilities(
    class_logits: NDArray[np.float32], absent: NDArray[np.bool_], temperature: float
) -> NDArray[np.float64]:
    """Return calibrated class probabilities (n, k), all equal where absent."""
    logits = np.where(absent[:, None], np.float32(0), class_logits).astype(np.float64)
    return softmax(logits / temperature)
