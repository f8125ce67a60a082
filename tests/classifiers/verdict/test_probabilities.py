"""Probabilities and entropies: finite, normalised, and the same for a row in any batch."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import special

from classifiers.verdict.calibrate import fit_binary_temperature, fit_temperature
from classifiers.verdict.probabilities import entropy, sigmoid, with_other

LOGITS = arrays(np.float32, st.tuples(st.integers(1, 40), st.just(14)), elements=st.floats(-80, 10, width=32))


@given(LOGITS, st.floats(0.1, 10))
def test_probabilities_are_finite_and_sum_to_one(logits: np.ndarray, temperature: float) -> None:
    result = with_other(logits, temperature)
    np.testing.assert_allclose(result.classes.sum(axis=1), 1.0, rtol=1e-12)
    expected = special.softmax(logits.astype(float) / temperature, axis=1)
    np.testing.assert_allclose(result.other, expected[:, -1], rtol=1e-9)
    np.testing.assert_allclose(result.classes * (1 - expected[:, -1:]), expected[:, :-1], rtol=1e-6, atol=1e-12)


@given(LOGITS)
def test_a_row_is_the_same_bits_in_any_batch(logits: np.ndarray) -> None:
    whole, values = with_other(logits, 1.3), entropy(with_other(logits, 1.3).classes)
    for i in range(len(logits)):
        alone = with_other(logits[i : i + 1].copy(), 1.3)
        assert alone.classes.tobytes() == whole.classes[i].tobytes()
        assert alone.other.tobytes() == whole.other[i].tobytes()
        assert entropy(alone.classes).tobytes() == values[i].tobytes()


def test_entropy_is_shannons() -> None:
    probabilities = np.random.default_rng(0).dirichlet(np.ones(13), 50)
    np.testing.assert_allclose(entropy(probabilities), special.entr(probabilities).sum(axis=1))
    assert entropy(np.eye(13)).max() == 0.0


def test_a_known_temperature_is_found_again() -> None:
    rng = np.random.default_rng(4)
    true = rng.standard_normal((20_000, 14)) * 3
    chosen = (special.softmax(true, axis=1).cumsum(axis=1) < rng.random((20_000, 1))).sum(axis=1)
    assert abs(fit_temperature((true * 1.7).astype(np.float32), chosen) - 1.7) < 0.05
    logits = rng.standard_normal(20_000) * 2
    labels = rng.random(20_000) < special.expit(logits)
    assert abs(fit_binary_temperature((logits * 0.6).astype(np.float32), labels) - 0.6) < 0.05


def test_sigmoid_saturates_without_overflow() -> None:
    np.testing.assert_allclose(sigmoid(np.array([-3e38, 0, 3e38], np.float32)), [0, 0.5, 1], atol=1e-300)
