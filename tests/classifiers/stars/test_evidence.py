"""Shares of star types: network and templates together, never less than a probability."""

from __future__ import annotations

import numpy as np

from classifiers.stars.evidence import type_shares


def test_shares_sum_to_one_and_follow_both() -> None:
    network = np.array([[0.2, 0.2, 0.1, 0.1, 0.1, 0.1, 0.1], [0.0, 0.0, 0.0, 0.5, 0.5, 0.0, 0.0]])
    misfit = np.array([[0.0, 4.0, 0.0, 0.0, 0.0, 0.0, 0.0], [20.0, 0.0, 0.0, 0.6, 0.0, 0.0, 0.0]])
    shares = type_shares(network, misfit)
    np.testing.assert_allclose(shares.sum(axis=1), 1.0)
    assert shares[0, 0] > shares[0, 2] > shares[0, 1]
    assert shares[1, 4] > shares[1, 3] > 0.3
    assert shares[1, 0] < 1e-6


def test_the_sum_of_the_network_does_not_matter_and_nothing_fitted_is_nan() -> None:
    rng = np.random.default_rng(1)
    network, misfit = rng.random((20, 7)), 50.0 * rng.random((20, 7))
    np.testing.assert_allclose(type_shares(network, misfit), type_shares(0.1 * network, misfit), rtol=1e-12)
    misfit[3] = np.nan
    shares = type_shares(network, misfit)
    assert np.isnan(shares[3]).all()
    assert np.isfinite(np.delete(shares, 3, axis=0)).all()


def test_without_evidence_the_network_alone_decides() -> None:
    network = np.random.default_rng(2).random((5, 7))
    alone = type_shares(network, np.zeros((5, 7)), power=1.0)
    np.testing.assert_allclose(alone, network / network.sum(axis=1, keepdims=True), rtol=1e-12)
    np.testing.assert_allclose(type_shares(network, 1e6 * network, 1.0, np.inf), alone, rtol=1e-12)


def test_impossible_and_certain_probabilities_stay_finite() -> None:
    network = np.zeros((2, 7))
    network[1, 2] = 1.0
    shares = type_shares(network, np.full((2, 7), 1e6) * np.arange(7))
    assert np.isfinite(shares).all()
    np.testing.assert_allclose(shares.sum(axis=1), 1.0)
