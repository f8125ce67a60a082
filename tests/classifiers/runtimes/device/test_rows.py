"""Rows of any length stand for one array, and are put side by side where they are copied to."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from classifiers.runtimes.device.rows import Rows


@given(st.lists(st.integers(0, 9), min_size=1, max_size=30), st.integers(9, 12), st.integers(1, 400), st.data())
def test_rows_are_copied_as_the_array_they_stand_for(
    lengths: list[int], width: int, at_once: int, data: st.DataObject
) -> None:
    rows = [np.arange(length, dtype=np.float64)[::1] + 10.0 * place for place, length in enumerate(lengths)]
    whole = np.full((len(rows), width), -1.0, np.float32)
    for place, row in enumerate(rows):
        whole[place, : row.size] = row
    start = data.draw(st.integers(0, len(rows) - 1))
    stop = data.draw(st.integers(start + 1, len(rows)))
    found = Rows(rows, width, np.float32, -1)[start:stop]
    target = np.zeros(found.shape, np.float32)
    found.copy_to(target, at_once)
    np.testing.assert_array_equal(target, whole[start:stop])
    assert len(found) == stop - start
    assert (found.shape, found.dtype, found.strides) == (target.shape, target.dtype, target.strides)


def test_big_endian_and_spaced_rows_are_brought_to_the_dtype() -> None:
    rows = [np.array([1.0, 2.0], ">f4"), np.repeat(np.array([3.0, 4.0], np.float32), 2)[::2]]
    target = np.zeros((2, 3), np.float32)
    Rows(rows, 3, np.float32, 0).copy_to(target)
    assert target.tolist() == [[1.0, 2.0, 0.0], [3.0, 4.0, 0.0]]
