"""What an image bundle is worth, as numbers: p-values of known alerts, artefacts recognised, agreement with real/bogus.

Everything is measured through the bundle's own graph and calibration on ONNX Runtime.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classifiers.bundle.folder import Bundle, load_bundle
from classifiers.images.prepare import prepare_stamps
from classifiers.items import Stamps
from classifiers.runtimes.opening import open_engine
from classifiers.training.stamps.anomalies import KINDS, inject
from classifiers.training.stamps.simulate import simulate_stamps
from classifiers.verdict.conformal import p_values

BATCH = 128


def anomaly_p_values(bundle: Bundle, items: Sequence[Stamps]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return scores and conformal p-values of alerts, each (n,) float64."""
    table = bundle.calibration("onnxruntime", "fp32").novelty
    if table is None:
        raise ValueError(f"{bundle.folder} has no calibration of its score")
    engine = open_engine(bundle, "onnxruntime", threads=2).engine
    parts = []
    for start in range(0, len(items), BATCH):
        prepared = prepare_stamps(items[start : start + BATCH])
        parts.append(engine.run({"stamps": prepared.stamps, "mask": prepared.mask})["score"])
    scores = np.concatenate(parts).astype(np.float64)
    return scores, p_values(table, scores)


def evaluate_stamp_bundle(
    folder: Path,
    seed: int,
    n: int,
    real: Sequence[tuple[str, Stamps, float, float | None]] = (),
) -> dict[str, Any]:
    """Evaluate a bundle.

    Args:
        folder: the bundle.
        seed: of the simulations and injections; differ from the training's.
        n: simulated alerts.
        real: real alerts as (survey, stamps, FWHM [pixel], the survey's real/bogus score or None).

    Returns:
        Plain numbers, ready for JSON: ``simulated`` and one entry a survey with n, quantiles of the p-value, rates
        flagged at 1 % and 5 %, AUROC of each injected artefact; ``real_bogus`` with the rank correlation.
    """
    bundle = load_bundle(folder)
    rng = np.random.default_rng([seed, 3])
    simulated = simulate_stamps(n, rng)
    report: dict[str, Any] = {
        "bundle": f"{bundle.manifest.name} {bundle.manifest.version}",
        "simulated": _sample_report(bundle, simulated.items(), simulated.fwhm_pixels.tolist(), rng),
        "real": {},
    }
    for survey in sorted({entry[0] for entry in real}):
        chosen = [entry for entry in real if entry[0] == survey]
        report["real"][survey] = _sample_report(bundle, [entry[1] for entry in chosen], [e[2] for e in chosen], rng)
    scored = [(entry[1], entry[3]) for entry in real if entry[3] is not None]
    if len(scored) >= 3:
        _, found = anomaly_p_values(bundle, [item for item, _ in scored])
        real_bogus = np.array([value for _, value in scored], dtype=np.float64)
        report["real_bogus"] = {"n": len(scored), "rank_correlation_with_p_value": _spearman(found, real_bogus)}
    return report


def _sample_report(
    bundle: Bundle, items: Sequence[Stamps], fwhm_pixels: Sequence[float], rng: np.random.Generator
) -> dict[str, Any]:
    scores, found = anomaly_p_values(bundle, items)
    report: dict[str, Any] = {
        "n": len(items),
        "p_value_quantiles": {str(q): round(float(np.quantile(found, q)), 4) for q in (0.05, 0.25, 0.5, 0.75, 0.95)},
        "flagged_at_0.01": int((found <= 0.01).sum()),
        "flagged_at_0.05": int((found <= 0.05).sum()),
        "artefacts": {},
    }
    for kind in KINDS:
        injected = [inject(item, kind, fwhm, rng) for item, fwhm in zip(items, fwhm_pixels, strict=True)]
        with_artefact, their_p_values = anomaly_p_values(bundle, injected)
        report["artefacts"][kind] = {
            "auroc": round(auroc(scores, with_artefact), 3),
            "score_rises": round(float((with_artefact > scores).mean()), 3),
            "flagged_at_0.05": int((their_p_values <= 0.05).sum()),
        }
    return report


def auroc(negative: NDArray[np.float64], positive: NDArray[np.float64]) -> float:
    """Return the probability that a positive scores above a negative, ties half (Hanley & McNeil 1982)."""
    ranked = np.sort(negative)
    below = np.searchsorted(ranked, positive, side="left")
    upto = np.searchsorted(ranked, positive, side="right")
    return float((below + upto).sum() / (2.0 * len(negative) * len(positive)))


def _spearman(a: NDArray[np.float64], b: NDArray[np.float64]) -> float | None:
    """Return Spearman's rank correlation with mean ranks for ties, None where one of them is constant."""
    rank_a, rank_b = _ranks(a), _ranks(b)
    if np.ptp(rank_a) == 0 or np.ptp(rank_b) == 0:
        return None
    return round(float(np.corrcoef(rank_a, rank_b)[0, 1]), 3)


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    ordered = np.sort(values)
    low, high = np.searchsorted(ordered, values, side="left"), np.searchsorted(ordered, values, side="right")
    return (low + high - 1) / 2.0
