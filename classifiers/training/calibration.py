"""Calibrate the three spectral bundles together on held-out simulations, domain SIMULATED, for one runtime.

The held-out sample is drawn with a seed of its own. A third of it, which the rest never sees, makes the null table of
the anomaly score; the others make temperatures, error factors, the energy table and the fused table.

Spectra that lack wavelengths (coverage below the domain's ``full_coverage``) get tables and a threshold of their own,
for which another sample, all of whose spectra lose some, is drawn beside the first: among whole spectra, a tail full of
cut ones would make the flag hold half of the declared rate and miss what it could find. OTHER_KNOWN holds its rate
among galaxies, quasars and stars each, however a stream is mixed: nearly all whom it flags wrongly are stars. Its
threshold is of what is published, hence of what templates leave of the network's doubts (``spectral.other``). Samples
are large, since a rate that holds with a confidence is below the declared one by what the sample's size leaves open.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classifiers.bundle.calibration import Calibration, calibration_file
from classifiers.bundle.folder import MANIFEST_FILE, Bundle, load_bundle, write_bundle
from classifiers.engine import Engine
from classifiers.runtimes.onnx_cpu import OnnxEngine
from classifiers.runtimes.opening import RuntimeOptions, open_engine
from classifiers.spectral.other import published_probabilities
from classifiers.training.bundles import ANOMALY, QSO, SPECTRAL_CLASSIFIER
from classifiers.training.error_factors import (
    classifier_error_factor,
    error_factor,
    galaxy_error_factors,
    right_extragalactic,
)
from classifiers.training.samples import Samples, draw_samples
from classifiers.training.simulation.basis import SHIPPED
from classifiers.training.simulation.scheme import CLASSES, KINDS, OTHER_INDEX
from classifiers.training.simulation.simulator import DEFAULT_KINDS, Simulator
from classifiers.verdict.calibrate import (
    OTHER_ODDS,
    fit_binary_temperature,
    fit_temperature,
    score_calibration,
    spectral_calibration,
)
from classifiers.verdict.unknown import weighed_other

Progress = Callable[[str, float], None]
DEFAULT_N = 64_512
HELD_OUT_SEED = 1_000_003
CUT_SEED_STEP = 1
"""By how much the seed of the sample of spectra that lose wavelengths is larger; it is of the same size."""
_NULL_PART, _CUT_NULL_PART = 3, 9
"""What share of each sample makes the null table of the anomaly score: the table of cut ones needs fewer."""
ALPHA, OTHER_RATE = 0.01, 0.005
REFERENCE_RUNTIME = RuntimeOptions("onnxruntime", "fp32")
_QUASARS = round(DEFAULT_KINDS["QSO"] / sum(DEFAULT_KINDS.values()), 4)
QSO_PRIOR: Mapping[str, float] = {"QSO": _QUASARS, "other": round(1.0 - _QUASARS, 4)}
"""Shares that P(QSO) assumes: of the mixture that the finder is trained, without what is made up, and calibrated on."""
_CHUNK = 1024


def calibrate_bundles(
    models: Path,
    n: int = DEFAULT_N,
    seed: int = HELD_OUT_SEED,
    progress: Progress | None = None,
    basis: Path = SHIPPED,
    options: RuntimeOptions = REFERENCE_RUNTIME,
) -> dict[str, Calibration]:
    """Calibrate the trained bundles below a folder for one runtime, and write the calibrations into them.

    Args:
        models: folder that holds the bundle folders, named as the bundles are; qso-finder may be missing.
        n: size of the held-out sample; at least some 6,000 for the declared rates.
        seed: of the held-out sample; must differ from the seed of training.
        progress: called with the stage and the fraction done.
        basis: the simulator's basis file.
        options: runtime and dtype that answer; metrics are those of the reference (onnxruntime, fp32) alone.

    Returns:
        Calibration by bundle name.

    Raises:
        TooFewKnown: n is too small for the declared rates.
        BundleError: a bundle is missing or broken.
    """
    simulator = Simulator.load(basis)
    whole = draw_samples(simulator, n, seed, progress)
    cut = draw_samples(simulator, n, seed + CUT_SEED_STEP, progress, losing=1.0)
    first, rest = whole.rows(slice(0, n // _NULL_PART)), whole.rows(slice(n // _NULL_PART, n))
    first_cut, rest_cut = cut.rows(slice(0, n // _CUT_NULL_PART)), cut.rows(slice(n // _CUT_NULL_PART, n))
    reference = options == REFERENCE_RUNTIME
    identifier = f"simulated-{seed}-{n}" + ("" if reference else f"-{options.runtime}-{options.dtype}")
    runtime: dict[str, Any] = {"runtime": options.runtime, "dtype": options.dtype, "domain": "SIMULATED"}
    written: dict[str, Calibration] = {}
    if progress is not None:
        progress("calibrate", 0.0)
    anomaly = load_bundle(models / ANOMALY)
    null = _with_short(first, first_cut, anomaly)
    known = null.rows(np.flatnonzero(null.class_index != OTHER_INDEX))
    calibration = score_calibration(
        identifier, answers(anomaly, known, options)["score"], _short(known, anomaly), alpha=ALPHA, **runtime
    )
    before = anomaly.sha256
    anomaly = _store(anomaly, calibration, {})
    rebind(models / SPECTRAL_CLASSIFIER, before, anomaly.sha256)
    written[ANOMALY] = calibration
    if (models / QSO / MANIFEST_FILE).is_file():
        finder = load_bundle(models / QSO)
        found = answers(finder, rest, options)
        calibration = _finder_calibration(identifier, rest, found, _threshold(finder), runtime)
        _store(finder, calibration, _finder_metrics(rest, found) if reference else {})
        written[QSO] = calibration
    classifier = load_bundle(models / SPECTRAL_CLASSIFIER)
    grouped = _with_short(rest, rest_cut, classifier)
    found = answers(classifier, grouped, options)
    drawn = {name: values[: len(rest)] for name, values in found.items()}
    temperature = fit_temperature(drawn["class_logits"], rest.class_index)
    calibration = spectral_calibration(
        identifier,
        class_logits=found["class_logits"],
        labels=grouped.class_index,
        energy=found["energy"],
        p_other=weighed_other(
            published_other(classifier, temperature, grouped, found), found, classifier.manifest.other_types, OTHER_ODDS
        ),
        other_odds=dict(OTHER_ODDS),
        anomaly=anomaly,
        anomaly_scores=answers(anomaly, grouped, options)["score"],
        short=_short(grouped, classifier),
        kinds=grouped.kind,
        alpha=ALPHA,
        other_rate=OTHER_RATE,
        temperature=temperature,
        redshift_error_factor=classifier_error_factor(rest, drawn),
        redshift_error_by_snr=galaxy_error_factors(rest, drawn),
        **runtime,
    )
    _store(classifier, calibration, _classifier_metrics(rest, drawn) if reference else {})
    written[SPECTRAL_CLASSIFIER] = calibration
    if progress is not None:
        progress("done", 1.0)
    return written


def _short(samples: Samples, bundle: Bundle) -> NDArray[np.bool_]:
    """Return (n,) which spectra cover less than the bundle's ``full_coverage``."""
    return samples.coverage() < bundle.manifest.domain.full_coverage


def _with_short(samples: Samples, cut: Samples, bundle: Bundle) -> Samples:
    """Return samples and, behind them, those of ``cut`` that lack wavelengths."""
    return Samples.joined([samples, cut.rows(np.flatnonzero(_short(cut, bundle)))])


def rebind(classifier: Path, before: str, after: str) -> None:
    """Have a classifier's calibrations name the anomaly bundle by its new digest, once a table was added to it.

    What they were made with, the anomaly bundle's graph and its table for their own runtime, is as it was.
    """
    bundle = load_bundle(classifier)
    for calibration in bundle.calibrations.values():
        if calibration.fused is not None and calibration.fused.partner.bundle_sha256 == before:
            partner = calibration.fused.partner.model_copy(update={"bundle_sha256": after})
            fused = calibration.fused.model_copy(update={"partner": partner})
            bundle = _store(bundle, calibration.model_copy(update={"fused": fused}), {})


def answers(bundle: Bundle, samples: Samples, options: RuntimeOptions = REFERENCE_RUNTIME) -> dict[str, NDArray[Any]]:
    """Run a bundle on samples; the large contributions are dropped."""
    reference = options == REFERENCE_RUNTIME
    engine: Engine = OnnxEngine(bundle, threads=2) if reference else open_engine(bundle, options)
    parts: list[Mapping[str, NDArray[Any]]] = []
    for start in range(0, len(samples), _CHUNK):
        flux, inverse_variance = samples.rows(slice(start, start + _CHUNK)).inputs()
        outputs = engine.run({"flux": flux, "inverse_variance": inverse_variance})
        parts.append({name: value for name, value in outputs.items() if name != "contribution"})
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def published_other(
    bundle: Bundle, temperature: float, samples: Samples, found: Mapping[str, NDArray[Any]]
) -> NDArray[np.float64]:
    """Return p_other of n samples as it would be published, (n,).

    Args:
        bundle: the classifier.
        temperature: of its calibration.
        samples: the spectra.
        found: what the classifier answered.
    """
    parts = []
    for start in range(0, len(samples), _CHUNK):
        rows = slice(start, start + _CHUNK)
        outputs = {name: found[name][rows] for name in ("class_logits", "other_type_probability")}
        flux, inverse_variance = samples.rows(rows).inputs()
        parts.append(published_probabilities(bundle.manifest, temperature, outputs, flux, inverse_variance).other)
    return np.concatenate(parts)


def _threshold(bundle: Bundle) -> float:
    threshold = bundle.manifest.qso_z_threshold
    return float("nan") if threshold is None else threshold


def _finder_calibration(
    identifier: str, samples: Samples, found: Mapping[str, NDArray[Any]], threshold: float, runtime: Mapping[str, Any]
) -> Calibration:
    quasar = samples.kind == KINDS.index("QSO")
    distant = samples.redshift >= threshold
    seen = quasar & (samples.redshift > 1.5)
    rows = np.flatnonzero(quasar & (found["qso_logit"] > 0))
    return Calibration(
        id=identifier,
        n=len(samples),
        alpha=ALPHA,
        qso_temperature=fit_binary_temperature(found["qso_logit"], quasar),
        high_z_temperature=fit_binary_temperature(found["high_z_logit"][quasar], distant[quasar]),
        bal_temperature=fit_binary_temperature(found["bal_logit"][seen], samples.broad_absorption[seen]),
        redshift_error_factor=error_factor(
            found["redshift_qso"][rows], found["redshift_qso_error"][rows], samples.redshift[rows]
        ),
        **runtime,
    )


def _classifier_metrics(samples: Samples, found: Mapping[str, NDArray[Any]]) -> dict[str, Any]:
    known = np.flatnonzero(samples.class_index != OTHER_INDEX)
    top = found["class_logits"][:, : len(CLASSES)].argmax(axis=1)
    rows = right_extragalactic(samples, found)
    error = np.abs(found["redshift"][rows] - samples.redshift[rows]) / (1.0 + samples.redshift[rows])
    prior = samples.class_target[known, : len(CLASSES)].mean(axis=0, dtype=np.float64)
    return {
        # What ``prior_id`` of an L2 record stands for: p(c) pi'(c) / pi(c) brings its probabilities to another mixture.
        "class_prior": dict(zip(CLASSES, np.round(prior / prior.sum(), 4).tolist(), strict=True)),
        "simulated": {
            "n": int(known.size),
            "accuracy_13_classes": round(float((top[known] == samples.class_index[known]).mean()), 4),
            "redshift_within_0.01": round(float((error < 0.01).mean()), 4),
        },
    }


def _finder_metrics(samples: Samples, found: Mapping[str, NDArray[Any]]) -> dict[str, Any]:
    quasar = samples.kind == KINDS.index("QSO")
    flagged = found["qso_logit"] > 0
    return {
        "class_prior": dict(QSO_PRIOR),
        "simulated": {
            "n": len(samples),
            "completeness": round(float(flagged[quasar].mean()), 4),
            "purity": round(float(quasar[flagged].mean()), 4) if flagged.any() else 0.0,
        },
    }


def _store(bundle: Bundle, calibration: Calibration, metrics: Mapping[str, Any]) -> Bundle:
    """Write a bundle again with a calibration and metrics added."""
    files = {name: (bundle.folder / name).read_bytes() for name in bundle.manifest.files}
    files[calibration_file(calibration.runtime, calibration.dtype)] = calibration.model_dump_json().encode()
    fields = bundle.manifest.model_dump(exclude={"files"})
    fields["metrics"] = {**fields["metrics"], **metrics}
    write_bundle(bundle.folder, fields, files)
    return load_bundle(bundle.folder)
