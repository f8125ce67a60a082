"""Golden answers: what counts as a difference from them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from classifiers.bundle.calibration import TailTable
from classifiers.bundle.errors import BundleError
from classifiers.bundle.folder import Bundle, load_bundle
from classifiers.runtimes.golden import _p_value_difference, self_test
from classifiers.runtimes.onnx_cpu import OnnxEngine
from classifiers.suite import MODELS


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return load_bundle(MODELS / "spectral-classifier")


class OneNumber:
    """An engine of which one number of one output is another."""

    def __init__(self, bundle: Bundle, output: str, value: float) -> None:
        self._engine, self._output, self._value = OnnxEngine(bundle), output, value
        self.name, self.runtime, self.dtype = self._engine.name, "onnxruntime", "fp32"

    def run(self, inputs: Mapping[str, NDArray[np.float32]]) -> dict[str, NDArray[Any]]:
        """Answer rightly but for one number."""
        answers = self._engine.run(inputs)
        numbers = answers[self._output].reshape(-1)
        numbers[int(np.nanargmin(numbers))] = self._value
        return answers


@pytest.mark.parametrize(
    ("output", "words"),
    [
        ("class_logits", "class agreement|probability differs by"),
        ("other_type_probability", "of its size an output differs by"),
        ("entropy", "entropy differs by"),
        ("redshift", "redshift differs by"),
        ("energy", "p-value differs by|of its size an output differs by"),
    ],
)
@pytest.mark.parametrize("value", [np.nan, np.inf, 1e6])
@pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning")
def test_a_number_that_is_none_is_a_difference_like_any_other(
    bundle: Bundle, output: str, words: str, value: float
) -> None:
    """NaN is within no tolerance, whichever output it stands in."""
    with pytest.raises(BundleError, match=words):
        self_test(bundle, OneNumber(bundle, output, value))


def test_the_last_bit_of_a_score_changes_no_p_value_though_it_stands_on_a_knot() -> None:
    """Below the tail a knot stands for many ranks; what is between two knots counts as what it is."""
    table = TailTable(n=1000, scores=(0.0, 1.0, 2.0, 3.0), at_or_above=(1000, 700, 2, 1))
    knot = np.array([1.0], np.float32)
    assert _p_value_difference(table, np.nextafter(knot, np.float32(0)), knot) == 0.0
    assert _p_value_difference(table, knot - np.float32(0.1), knot) == pytest.approx(28 / 1001, rel=1e-3)
    assert _p_value_difference(table, knot - np.float32(0.005), knot) == 0.0
    assert np.isnan(_p_value_difference(table, np.array([np.nan], np.float32), knot))
