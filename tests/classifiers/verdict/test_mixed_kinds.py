"""OTHER_KNOWN holds its rate in each kind of known objects, where the sample says which they are."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from classifiers.verdict.calibrate import spectral_calibration
from classifiers.verdict.probabilities import with_other

ALPHA, OTHER = 0.02, 0.01
N = 40_000
KINDS = np.arange(N) % 4 // 3  # a quarter is of the second kind


def logits(seed: int) -> NDArray[np.float32]:
    """Return logits of which those of the second kind look more like OTHER."""
    rng = np.random.default_rng(seed)
    drawn = rng.standard_normal((N, 4))
    drawn[:, 3] += 3.0 * KINDS - 3.0
    return drawn.astype(np.float32)


def threshold(kinds: NDArray[np.int64] | None) -> float:
    """Return the threshold that a calibration on these kinds makes."""
    made = spectral_calibration(
        "c", class_logits=logits(1), labels=np.zeros(N, np.int64), energy=logits(2)[:, 0], kinds=kinds,
        alpha=ALPHA, other_rate=OTHER, temperature=1.0,
    )  # fmt: skip
    assert made.p_other_threshold is not None
    return made.p_other_threshold


def rates(limit: float) -> list[float]:
    """Return the rates among fresh objects of both kinds."""
    other = with_other(logits(3), 1.0).other > limit
    return [float(other[kind == KINDS].mean()) for kind in (0, 1)]


def test_the_rate_holds_in_the_kind_that_is_flagged_most() -> None:
    held, mixed = rates(threshold(KINDS)), rates(threshold(None))
    assert 0.005 < held[1] <= 0.0105
    assert held[0] < held[1]
    assert mixed[1] > 0.02


def test_a_kind_too_small_for_a_threshold_changes_nothing() -> None:
    few = np.zeros(N, np.int64)
    few[:50] = 1
    assert threshold(few) == max(threshold(None), threshold(np.zeros(N, np.int64)))
