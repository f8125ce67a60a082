"""Spectra, and what engines answer of them, for the tests of verdicts on spectra."""

from __future__ import annotations

from typing import Any

import numpy as np

from classifiers.bundle.calibration import Calibration, Partner
from classifiers.bundle.manifest import INPUTS, LINE_OUTPUTS, OUTPUTS, Manifest
from classifiers.classifier import Verdicts
from classifiers.items import GridAxis, Spectrum
from classifiers.preprocess.prepare import PreparedBatch
from classifiers.verdict.answers import Answer
from classifiers.verdict.calibrate import tail_table
from classifiers.verdict.spectral import spectral_verdicts

N_PIXEL = 20
DTYPES = {"alternative_class": "int64"}
CLASSES = ("GALAXY", "QSO", "STAR")
TABLE = tail_table(np.arange(1000) / 1000)
PARTNER = Partner(name="vae", version="1", bundle_sha256="0" * 64)


def spectra(n: int, **fields: Any) -> list[Spectrum]:
    zeros = np.zeros(2, np.float32)
    values: dict[str, Any] = {
        "axis": GridAxis("LINEAR", 4000.0, 1.0, 2), "medium": "VACUUM", "flux": zeros, "uncertainty": zeros,
        "uncertainty_kind": "IVAR", "flux_unit": "", "quality": None, "velocity_correction_km_s": 0.0,
        "resolving_power": 2000.0, "sampling": "DISPERSED", "sky_fibre": False,
    }  # fmt: skip
    return [Spectrum(**{**values, **fields}) for _ in range(n)]


def prepared(n: int, snr: float = 10.0, coverage: float = 0.9) -> PreparedBatch:
    rng = np.random.default_rng(0)
    return PreparedBatch(
        flux=(1 + 0.1 * rng.standard_normal((n, N_PIXEL))).astype(np.float32),
        inverse_variance=np.ones((n, N_PIXEL), np.float32),
        scale=np.full(n, 2.0),
        snr=np.full(n, snr),
        coverage=np.full(n, coverage),
        quality_flags=np.zeros(n, np.int64),
    )


def manifest(role: str, **fields: Any) -> Manifest:
    k = 3 if role == "spectral_classifier" else 0
    shapes: dict[str, tuple[int, ...]] = {
        "class_logits": (k + 1,), "other_type_probability": (2,), "alternative_class": (2,),
        "alternative_redshift": (2,), "alternative_probability": (2,), "map": (2,), "contribution": (N_PIXEL,),
        **dict.fromkeys(LINE_OUTPUTS, (1,)),
    }  # fmt: skip
    outputs = OUTPUTS[role] + (LINE_OUTPUTS if fields.get("lines") else ())
    values: dict[str, Any] = {
        "name": role.replace("_", "-"), "version": "1", "role": role,
        "grid": {"log10_start": 3.6, "log10_step": 1e-3, "n": N_PIXEL},
        "inputs": [{"name": name, "shape": (N_PIXEL,)} for name in INPUTS[role]],
        "outputs": [
            {"name": name, "shape": shapes.get(name, ()), "dtype": DTYPES.get(name, "float32")} for name in outputs
        ],
        "batch_buckets": (16,), "training": {"command": "", "seed": 0}, "files": {},
        "domain": {"min_coverage": 0.3, "full_coverage": 0.7, "min_snr": 1.0, "full_snr": 3.0,
                   "min_resolving_power": 800.0, "max_resolving_power": 10_000.0, "max_snr": 900.0},
    }  # fmt: skip
    if k:
        values |= {
            "class_scheme": "TINY", "class_names": CLASSES, "star_classes": ("STAR",), "other_types": ("M", "SKY"),
            "redshift_range": (0.0, 2.0), "zwarn_margin": 0.2, "zwarn_snr": 2.0, "zwarn_coverage": 0.5,
        }  # fmt: skip
    return Manifest.model_validate({**values, **fields})


def classifier(n: int, calibration: Calibration | None = None, lines: tuple[str, ...] = (), **outputs: Any) -> Answer:
    values: dict[str, Any] = {
        "class_logits": [0.0, 2.0, 0.0, -5.0], "other_type_probability": [0.9, 0.1], "entropy": 0.9,
        "aleatoric_entropy": 0.8, "mutual_information": 0.1, "energy": 0.5, "redshift": 0.7, "redshift_error": 1e-3,
        "redshift_margin": 0.5, "alternative_class": [0, -1], "alternative_redshift": [0.2, 0.0],
        "alternative_probability": [0.1, 0.0], "radial_velocity_km_s": 20.0, "radial_velocity_error_km_s": 5.0,
    }  # fmt: skip
    if lines:
        values |= {name: [3.0] for name in LINE_OUTPUTS}
    made = {name: np.stack([np.asarray(value)] * n) for name, value in {**values, **outputs}.items()}
    made = {name: a.astype(np.int64 if name == "alternative_class" else np.float32) for name, a in made.items()}
    calibration = calibration or Calibration(id="c", n=1000, alpha=0.02, novelty=TABLE, p_other_threshold=0.6)
    return Answer(manifest("spectral_classifier", lines=lines), calibration, made)


def anomaly(n: int, score: float = 0.5, contribution: int = 7) -> Answer:
    strongest = np.zeros((n, N_PIXEL), np.float32)
    strongest[:, contribution] = 4.0
    outputs = {
        "score": np.full(n, score, np.float32), "contribution": strongest, "map": np.ones((n, 2), np.float32),
    }  # fmt: skip
    return Answer(manifest("anomaly"), Calibration(id="a", n=1000, novelty=TABLE), outputs)


def one(answer: Answer, batch: PreparedBatch | None = None, **fields: Any) -> Verdicts:
    return spectral_verdicts(spectra(1, **fields), batch or prepared(1), {"spectral_classifier": answer})


SKY = {"class_logits": [0.0, 0.0, 0.0, 9.0], "other_type_probability": [0.1, 0.9]}
DWARF = {"class_logits": [0.0, 0.0, 0.0, 9.0]}
