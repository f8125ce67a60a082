"""Golden answers: what an engine must say of the inputs that a bundle carries, within the bundle's own tolerances."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classifiers.bundle.errors import BundleError
from classifiers.bundle.folder import GOLDEN_FILE, Bundle
from classifiers.bundle.manifest import SURVEY_HIGH_Z, Tolerance
from classifiers.engine import Engine

REDSHIFTS = ("redshift", "redshift_qso")
ENTROPIES = ("entropy", "aleatoric_entropy", "mutual_information")
LOGITS = ("qso_logit", "high_z_logit", "bal_logit", SURVEY_HIGH_Z)
ROUNDING = 1e-3
"""Largest relative difference of an output that no tolerance names, in fp32 [1]."""


@dataclass(frozen=True, slots=True)
class GoldenReport:
    """How an engine's answers compare: rows answered, least class agreement, largest difference by what it means."""

    rows: int
    class_agreement: float
    probability: float
    entropy: float
    redshift: float
    relative: float

    def excess(self, tolerance: Tolerance) -> str | None:
        """Return what is outside the tolerance, in words, or None."""
        if self.class_agreement < tolerance.class_agreement:
            return f"class agreement {self.class_agreement:.3f}, expected at least {tolerance.class_agreement}"
        for name in ("probability", "entropy", "redshift"):
            found, allowed = getattr(self, name), getattr(tolerance, name)
            if not found <= allowed:
                return f"{name} differs by {found:.2g}, expected at most {allowed:.2g}"
        if not self.relative <= ROUNDING:
            return f"an output differs by {self.relative:.2g} of its size, expected at most {ROUNDING:.2g}"
        return None


def compare_golden(bundle: Bundle, engine: Engine) -> GoldenReport | None:
    """Run the bundle's golden inputs; None where it carries none.

    Raises:
        BundleError: the golden file cannot be read or holds other arrays than the graph has.
    """
    path = bundle.folder / GOLDEN_FILE
    if GOLDEN_FILE not in bundle.manifest.files:
        return None
    arrays = _read(path)
    inputs = {tensor.name: arrays.get(f"input_{tensor.name}") for tensor in bundle.manifest.inputs}
    present = {name: np.ascontiguousarray(array) for name, array in inputs.items() if array is not None}
    if len(present) != len(inputs):
        raise BundleError(str(path), expected=f"inputs {', '.join(inputs)}", found=", ".join(sorted(arrays)))
    answers = engine.run(present)
    agreement, probability, entropy, redshift, relative = 1.0, 0.0, 0.0, 0.0, 0.0
    for name, answer in answers.items():
        wanted = arrays.get(f"output_{name}")
        if wanted is None or wanted.shape != answer.shape:
            raise BundleError(str(path), expected=f"output_{name} of shape {answer.shape}", found="another or none")
        if name == "class_logits":
            agreement = float(np.mean(answer.argmax(1) == wanted.argmax(1)))
            probability = max(probability, _largest(_softmax(answer) - _softmax(wanted)))
        elif name in LOGITS:
            probability = max(probability, _largest(_sigmoid(answer) - _sigmoid(wanted)))
        elif name in ENTROPIES:
            entropy = max(entropy, _largest(answer - wanted))
        elif name in REDSHIFTS:
            redshift = max(redshift, _largest((answer - wanted) / (1.0 + wanted)))
        elif answer.dtype.kind == "f" and not name.startswith("alternative"):
            both = np.isnan(answer) & np.isnan(wanted)
            size = max(float(np.nanmax(np.abs(wanted), initial=0.0)), 1e-6)
            relative = max(relative, _largest(np.where(both, 0.0, answer - wanted) / size))
    return GoldenReport(len(next(iter(answers.values()))), agreement, probability, entropy, redshift, relative)


def _read(path: Path) -> dict[str, NDArray[np.float32]]:
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except (OSError, ValueError) as error:
        raise BundleError(str(path), expected="an .npz of numeric arrays", found=str(error)) from error


def _largest(difference: NDArray[np.floating[Any]]) -> float:
    """Return the largest absolute difference; where one side is NaN, NaN is, which no tolerance allows."""
    return float(np.max(np.abs(difference), initial=0.0))


def _softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=1, keepdims=True), dtype=np.float32)


def _sigmoid(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(1.0 / (1.0 + np.exp(-logits)), dtype=np.float32)
