"""How sure labels of stars are is measured on stars that are no templates."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from classifiers.stars.measure import DETAIL
from classifiers.training.star_details import (
    LABEL,
    OTHERS,
    TRIED,
    Details,
    by_class,
    likelihoods,
    measured,
    misfits,
    stars_and_templates,
)


@pytest.mark.parametrize("details", [LABEL, *OTHERS])
def test_a_template_bent_by_a_fit_s_own_polynomial_is_fitted_by_itself(details: Details) -> None:
    rng = np.random.default_rng(1)
    templates = 1.0 + rng.random((4, 300))
    x = np.linspace(0.0, 1.0, 300)
    bent = templates + 0.2 + 0.3 * x if details.added else templates * (1.2 + 0.3 * x)
    found = misfits(bent, templates, details)
    assert found.argmin(axis=1).tolist() == [0, 1, 2, 3]
    np.testing.assert_allclose(found.min(axis=1), 0.0, atol=1e-9)


def test_the_best_template_of_a_type_counts() -> None:
    kinds = np.array([0, 1, 1, 2, 3, 4, 5, 6])
    found = by_class(np.arange(8.0)[None, ::-1], kinds)
    assert found.tolist() == [[7.0, 5.0, 4.0, 3.0, 2.0, 1.0, 0.0]]


def test_where_fits_agree_no_detail_is_best_and_where_they_never_do_much_of_it_is() -> None:
    misfit = np.array([[0.0, *[0.01] * 6]])
    agreeing = likelihoods(misfit, np.array([[0]]), 20.0)
    contrary = likelihoods(misfit, np.array([[1]]), 20.0)
    assert agreeing == sorted(agreeing)
    assert contrary == sorted(contrary, reverse=True)


@pytest.mark.slow
def test_labels_are_made_with_the_detail_that_fits_that_multiply_agree_on_best(data_dir: Path) -> None:
    found = measured(data_dir / "spectra", tuple(each for each in OTHERS if not each.added)).mean(axis=0)
    assert found[TRIED.index(DETAIL)] < found.min() + 0.01
    assert measured(data_dir / "spectra", OTHERS).mean(axis=0)[TRIED.index(DETAIL)] < 0.8


@pytest.mark.slow
def test_templates_are_not_among_the_stars(data_dir: Path) -> None:
    stars, templates, kinds = stars_and_templates(data_dir / "spectra")
    assert set(kinds.tolist()) == set(range(7))
    assert len(stars) > 200
    assert by_class(misfits(stars, templates, LABEL), kinds).min() > 1e-5
