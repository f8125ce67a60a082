"""What each spectral bundle declares in its manifest: name, role, grid, outputs, domain, provenance."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from classifiers.networks.declared import (
    ALTERNATIVES,
    ANOMALY_OUTPUTS,
    CLASSIFIER_OUTPUTS,
    QSO_BIN,
    QSO_BINS,
    QSO_OUTPUTS,
    REDSHIFT_THRESHOLD,
    SURVEY_THRESHOLDS,
)
from classifiers.preprocess.grid import COMMON_GRID
from classifiers.training.provenance import device_setting, train_command
from classifiers.training.simulation.galaxies import FARTHEST
from classifiers.training.simulation.scheme import CLASS_SCHEME, CLASSES, FIRST_STAR, OTHER_TYPES
from classifiers.training.tolerances import TOLERANCES

SPECTRAL_CLASSIFIER, ANOMALY, QSO = "spectral-classifier", "spectral-anomaly", "qso-finder"
BUNDLES = (SPECTRAL_CLASSIFIER, ANOMALY, QSO)
ROLES = {SPECTRAL_CLASSIFIER: "spectral_classifier", ANOMALY: "anomaly", QSO: "qso"}
NAMES = {SPECTRAL_CLASSIFIER: CLASSIFIER_OUTPUTS, ANOMALY: ANOMALY_OUTPUTS, QSO: QSO_OUTPUTS}
ARCHITECTURES = {
    SPECTRAL_CLASSIFIER: "specstream-spectral-classifier-3",
    ANOMALY: "specstream-spectral-anomaly-6",
    QSO: "specstream-qso-finder-3",
}
VERSIONS = {SPECTRAL_CLASSIFIER: "0.12.0", ANOMALY: "0.12.0", QSO: "0.12.0"}
PRIOR = "simulated-mix-1"
_SHAPES: Mapping[str, tuple[int, ...]] = {
    "class_logits": (len(CLASSES) + 1,),
    "other_type_probability": (len(OTHER_TYPES),),
    "alternative_class": (ALTERNATIVES,),
    "alternative_redshift": (ALTERNATIVES,),
    "alternative_probability": (ALTERNATIVES,),
    "contribution": (COMMON_GRID.n,),
    "map": (2,),
    "survey_high_z_logit": (len(SURVEY_THRESHOLDS),),
}


# Size of the simulated training set and passes over it of the bundles that ship.
DEFAULTS: Mapping[str, tuple[int, int]] = {SPECTRAL_CLASSIFIER: (479_232, 4), ANOMALY: (239_616, 32), QSO: (239_616, 1)}
THREADS = 1


def manifest(
    bundle: str,
    seed: int,
    n: int,
    epochs: int,
    data: Mapping[str, str],
    threads: int = THREADS,
    device: str = "cpu",
) -> dict[str, Any]:
    """Return the manifest of a bundle but for the digests of its files.

    Args:
        bundle: one of ``BUNDLES``.
        seed: of the training.
        n: size of the simulated training set.
        epochs: passes over it.
        data: sha256 of what the weights were made from, by name.
        threads: of torch in training.
        device: kind of the device that trained, cpu or cuda.
    """
    settings = {"n": n, "epochs": epochs, "threads": threads, **device_setting(device)}
    role = ROLES[bundle]
    tensor = [
        {
            "name": name,
            "shape": _SHAPES.get(name, ()),
            "dtype": "int64" if name == "alternative_class" else "float32",
        }
        for name in NAMES[bundle]
    ]
    inputs = [{"name": name, "shape": (COMMON_GRID.n,)} for name in ("flux", "inverse_variance")]
    fields: dict[str, Any] = {
        "name": bundle,
        "version": VERSIONS[bundle],
        "role": role,
        "architecture": ARCHITECTURES[bundle],
        "grid": {"log10_start": COMMON_GRID.log10_start, "log10_step": COMMON_GRID.log10_step, "n": COMMON_GRID.n},
        "inputs": inputs,
        "outputs": tensor,
        "prior_id": PRIOR,
        "batch_buckets": (2, 64, 256),
        "domain": {
            "min_coverage": 0.35,
            "full_coverage": 0.65,
            "full_snr": 2.0,
            "max_snr": 1500.0,
            "min_resolving_power": 800.0,
            "max_resolving_power": 15_000.0,
        },
        "tolerances": TOLERANCES,
        "training": {
            "command": train_command(bundle, seed, settings),
            "seed": seed,
            "data": dict(data),
            "settings": settings,
        },
    }
    if bundle == SPECTRAL_CLASSIFIER:
        fields |= {
            "class_scheme": CLASS_SCHEME,
            "class_names": CLASSES,
            "star_classes": CLASSES[FIRST_STAR:],
            "other_types": OTHER_TYPES,
            "redshift_range": (0.0, round(math.expm1(QSO_BIN * QSO_BINS), 3)),
            # galaxies from beyond those that were learned are given one of the last redshifts, quasars their own
            "family_redshift_ranges": {"GALAXY": (0.0, FARTHEST)},
            "zwarn_margin": 0.3,
            "zwarn_snr": 1.0,
            "zwarn_coverage": 0.5,
        }
    if bundle == QSO:
        surveys = [{"survey": name, "redshift": redshift} for name, redshift in SURVEY_THRESHOLDS.items()]
        fields |= {"qso_z_threshold": REDSHIFT_THRESHOLD, "survey_qso_z_thresholds": surveys}
    return fields
