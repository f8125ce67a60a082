"""Golden answers: what an engine must say of the inputs that a bundle carries, within the bundle's own tolerances."""

from __future__ import annotations

import io
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from classifiers.bundle.calibration import TailTable
from classifiers.bundle.errors import BundleError
from classifiers.bundle.folder import GOLDEN_FILE, REFERENCE, Bundle
from classifiers.bundle.manifest import SURVEY_HIGH_Z, Tolerance
from classifiers.engine import Arrays, Engine

REDSHIFTS = ("redshift", "redshift_qso")
ENTROPIES = ("entropy", "aleatoric_entropy", "mutual_information")
LOGITS = ("qso_logit", "high_z_logit", "bal_logit", SURVEY_HIGH_Z)
NOVELTY = ("energy", "score")
"""Outputs that a calibration turns into p-values."""


@dataclass(frozen=True, slots=True)
class GoldenReport:
    """How an engine's answers compare: rows answered, least class agreement, largest difference by what it means.

    A p-value is that of the bundle's reference calibration (onnxruntime, fp32); 0 where the bundle has none.
    """

    rows: int
    class_agreement: float
    probability: float
    entropy: float
    redshift: float
    p_value: float
    relative: float

    def excess(self, tolerance: Tolerance) -> str | None:
        """Return what is outside the tolerance, in words, or None."""
        if self.class_agreement < tolerance.class_agreement:
            return f"class agreement {self.class_agreement:.3f}, expected at least {tolerance.class_agreement}"
        for name, words in _WORDS.items():
            found, allowed = getattr(self, name), getattr(tolerance, name)
            if not found <= allowed:
                return f"{words} {found:.2g}, expected at most {allowed:.2g}"
        return None


_WORDS = {
    "probability": "probability differs by",
    "entropy": "entropy differs by",
    "redshift": "redshift differs by",
    "p_value": "p-value differs by",
    "relative": "of its size an output differs by",
}


def self_test(bundle: Bundle, engine: Engine) -> GoldenReport:
    """Have an engine answer the bundle's golden inputs.

    Raises:
        BundleError: the answers are outside the tolerances that the bundle declares for the number format, it
            declares none, or carries no golden inputs: what nothing is known of must not serve.
    """
    report = compare_golden(bundle, engine)
    file = str(bundle.folder / GOLDEN_FILE)
    tolerance = bundle.manifest.tolerances.get(engine.dtype)
    if tolerance is None:
        declared = ", ".join(bundle.manifest.tolerances) or "no number format"
        raise BundleError(file, expected=f"tolerances for {engine.dtype}", found=f"for {declared}")
    excess = report.excess(tolerance)
    if excess is not None:
        expected = f"answers of {engine.runtime} in {engine.dtype} within the bundle's tolerances"
        raise BundleError(file, expected=expected, found=excess)
    return report


@dataclass(frozen=True, slots=True)
class Golden:
    """What a bundle carries: inputs by their names, and the reference's outputs by theirs; first axis g rows."""

    inputs: dict[str, NDArray[np.float32]]
    outputs: dict[str, NDArray[Any]]

    @property
    def rows(self) -> int:
        """Return g."""
        return len(next(iter(self.inputs.values())))


def read_golden(bundle: Bundle) -> Golden:
    """Return the bundle's golden inputs and outputs.

    Raises:
        BundleError: the golden file is not among the bundle's, cannot be read or lacks inputs.
    """
    path = bundle.folder / GOLDEN_FILE
    if GOLDEN_FILE not in bundle.manifest.files:
        expected = "golden inputs and answers, as `specstream train` writes them"
        raise BundleError(str(path), expected=expected, found="none in bundle.json")
    arrays = _read(path)
    inputs = {tensor.name: arrays.get(f"input_{tensor.name}") for tensor in bundle.manifest.inputs}
    present = {name: np.ascontiguousarray(array) for name, array in inputs.items() if array is not None}
    if len(present) != len(inputs):
        raise BundleError(str(path), expected=f"inputs {', '.join(inputs)}", found=", ".join(sorted(arrays)))
    outputs = {name.removeprefix("output_"): array for name, array in arrays.items() if name.startswith("output_")}
    return Golden(present, outputs)


def compare_golden(bundle: Bundle, engine: Engine) -> GoldenReport:
    """Run the bundle's golden inputs.

    Raises:
        BundleError: the golden file is not there, cannot be read or holds other arrays than the graph has.
    """
    golden = read_golden(bundle)
    return compare_answers(bundle, golden.outputs, engine.run(golden.inputs), np.arange(golden.rows))


def compare_answers(bundle: Bundle, reference: Arrays, answers: Arrays, rows: NDArray[np.int64]) -> GoldenReport:
    """Compare answers with a reference's, of which rows may have been repeated.

    Args:
        bundle: whose outputs they are.
        reference: outputs by name, first axis g.
        answers: outputs by name, first axis n.
        rows: which of the g rows each of the n is, (n,). A row whose class differs once does not agree.

    Raises:
        BundleError: the reference lacks an output, or has it in another shape.
    """
    agreement, probability, entropy, redshift, p_value, relative = 1.0, 0.0, 0.0, 0.0, 0.0, 0.0
    table = _table(bundle)
    for name, answer in answers.items():
        whole = reference.get(name)
        if whole is None or whole.shape[1:] != answer.shape[1:] or len(whole) != rows.max() + 1:
            file, shape = str(bundle.folder / GOLDEN_FILE), (int(rows.max()) + 1, *answer.shape[1:])
            raise BundleError(file, expected=f"output_{name} of shape {shape}", found="another or none")
        wanted = whole[rows]
        if name == "class_logits":
            agreement = min(agreement, _agreement(answer.argmax(1) == wanted.argmax(1), rows))
            probability = _worse(probability, _largest(_softmax(answer) - _softmax(wanted)))
        elif name in LOGITS:
            probability = _worse(probability, _largest(_sigmoid(answer) - _sigmoid(wanted)))
        elif name in ENTROPIES:
            entropy = _worse(entropy, _largest(answer - wanted))
        elif name in REDSHIFTS:
            redshift = _worse(redshift, _largest((answer - wanted) / (1.0 + wanted)))
        elif answer.dtype.kind == "f" and not name.startswith("alternative"):
            both = np.isnan(answer) & np.isnan(wanted)
            size = max(float(np.nanmax(np.abs(whole), initial=0.0)), 1e-6)
            relative = _worse(relative, _largest(np.where(both, 0.0, answer - wanted) / size))
            if name in NOVELTY and table is not None:
                p_value = _worse(p_value, _p_value_difference(table, answer, wanted))
    return GoldenReport(len(rows), agreement, probability, entropy, redshift, p_value, relative)


def _agreement(same: NDArray[np.bool_], rows: NDArray[np.int64]) -> float:
    """Return the share of the distinct rows that are the same wherever they come."""
    return 1.0 - len(np.unique(rows[~same])) / len(np.unique(rows))


def _p_value_difference(table: TailTable, answer: NDArray[Any], wanted: NDArray[Any]) -> float:
    """Return the largest difference of p-values beyond two ranks of the table, so many as the last bit may change.

    Ranks are interpolated between the table's knots: below the tail a knot stands for many ranks, and a score on it
    would jump over all of them with its last bit.
    """
    knots, at_or_above = table.arrays
    ranks = [np.interp(scores.astype(np.float64), knots, at_or_above) for scores in (answer, wanted)]
    return _largest(np.maximum(np.abs(ranks[0] - ranks[1]) - 2.0, 0.0) / (table.n + 1.0))


def _table(bundle: Bundle) -> TailTable | None:
    reference = bundle.calibrations.get(REFERENCE)
    return None if reference is None else reference.novelty


def _read(path: Path) -> dict[str, NDArray[np.float32]]:
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except (OSError, ValueError, EOFError, BadZipFile, zlib.error) as error:
        raise BundleError(str(path), expected="an .npz of numeric arrays", found=str(error)) from error


def _largest(difference: NDArray[np.floating[Any]]) -> float:
    """Return the largest absolute difference; where one side is NaN, NaN is, which no tolerance allows."""
    return float(np.max(np.abs(difference), initial=0.0))


def _worse(one: float, other: float) -> float:
    """Return the larger difference, or NaN where either is: Python's ``max`` would drop one that comes second."""
    return float(np.maximum(one, other))


def _softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=1, keepdims=True), dtype=np.float32)


def _sigmoid(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(1.0 / (1.0 + np.exp(-logits)), dtype=np.float32)
