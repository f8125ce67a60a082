"""The sweep operator: ordinary least squares, many at once, and nothing from columns without information."""

from __future__ import annotations

import numpy as np

from classifiers.lines.sweep import sweep


def test_sweeping_gives_covariance_solution_and_what_is_left() -> None:
    rng = np.random.default_rng(1)
    columns = rng.standard_normal((9, 30, 6))
    swept = sweep(np.einsum("mbi,mbj->ijm", columns, columns), range(4))
    for place, each in enumerate(columns):
        model, rest = each[:, :4], each[:, 4:]
        solution, *_ = np.linalg.lstsq(model, rest, rcond=None)
        left = rest - model @ solution
        np.testing.assert_allclose(-swept[:4, :4, place], np.linalg.inv(model.T @ model), rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(swept[:4, 4:, place], solution, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(swept[4:, 4:, place], left.T @ left, rtol=1e-9, atol=1e-12)


def test_a_column_of_zeros_or_a_copy_of_another_gets_no_value_and_disturbs_nothing() -> None:
    rng = np.random.default_rng(2)
    columns = rng.standard_normal((30, 4))
    alone = columns[:, [0, 3]]
    for useless in (np.zeros(30), columns[:, 0]):
        with_it = np.column_stack([columns[:, 0], useless, columns[:, 3]])
        swept = sweep((with_it.T @ with_it)[..., None], range(2))
        expected = sweep((alone.T @ alone)[..., None], range(1))
        np.testing.assert_allclose(swept[0, 2], expected[0, 1], rtol=1e-9)
        assert swept[1, 1, 0] == 0.0
        assert swept[1, 2, 0] == 0.0
