"""Compiled functions give the numbers that Python gives, and work where nothing can be kept of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from classifiers.compiled import compiled
from classifiers.preprocess.rebin import _sums

SOURCE = (
    "def twice(values):\n    total = 0.0\n    for value in values:\n        total += 2.0 * value\n    return total\n"
)


def test_a_function_that_can_be_kept_nowhere_is_compiled_all_the_same() -> None:
    """As in a container whose file system is read-only: a function without a file has no folder beside it either."""
    made: dict[str, Any] = {}
    exec(SOURCE, made)  # noqa: S102
    assert compiled(made["twice"])(np.array([1.0, 2.0])) == 6.0


def test_what_is_compiled_says_what_python_says() -> None:
    rng = np.random.default_rng(1)
    rows = rng.random((3, 50)).astype(np.float32)
    under = np.sort(rng.integers(0, 51, 12)).astype(np.uint64)
    share = rng.random(12)
    fast, slow = np.empty((2, 3, 11), np.float32)
    _sums(rows, under, share, fast)
    _sums.py_func(rows, under, share, slow)  # type: ignore[attr-defined]
    np.testing.assert_allclose(fast, slow, rtol=1e-5, atol=1e-6)
