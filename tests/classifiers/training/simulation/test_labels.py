"""The labelling rules, against cases worked by hand."""

from __future__ import annotations

import numpy as np

from classifiers.training.simulation.labels import fold_star_residuals, galaxy_labels, star_template_residuals
from classifiers.training.simulation.scheme import CLASSES, STAR_TYPES


def _galaxy(significance: list[float], oiii_hbeta: float, nii_halpha: float, ew: float) -> str:
    arrays = np.array([significance]), np.array([oiii_hbeta]), np.array([nii_halpha]), np.array([ew])
    return CLASSES[int(galaxy_labels(*arrays)[0])]


def test_a_line_below_three_sigma_leaves_a_galaxy_without_subclass() -> None:
    assert _galaxy([30, 30, 30, 2.9], 0.9, 0.1, 100) == "GALAXY_nan"


def test_ratios_above_the_line_are_agn_whatever_the_equivalent_width() -> None:
    assert _galaxy([9, 9, 9, 9], 0.5, 0.0, 80) == "GALAXY_AGN"


def test_strong_halpha_below_the_line_is_a_starburst_and_weak_is_star_forming() -> None:
    assert _galaxy([9, 9, 9, 9], 0.0, -0.5, 50.1) == "GALAXY_STARBURST"
    assert _galaxy([9, 9, 9, 9], 0.0, -0.5, 49.9) == "GALAXY_STARFORMING"


def test_a_template_times_a_polynomial_is_fitted_by_itself() -> None:
    rng = np.random.default_rng(1)
    templates = 1.0 + rng.random((4, 300)).astype(np.float32)
    x = np.linspace(-1, 1, 300)
    flux = (templates[2] * (2.0 + x - 0.5 * x**3)).astype(np.float32)[None, :]
    residuals = star_template_residuals(flux, templates)
    assert residuals.argmin() == 2
    assert residuals[0, 2] < 1e-8


def test_folded_templates_count_for_their_class() -> None:
    folded = fold_star_residuals(np.array([[0.5, 0.1, 0.3]]), ("F5", "F2", "K5"))
    assert folded[0, STAR_TYPES.index("F5")] == 0.1
    assert folded[0, STAR_TYPES.index("K5")] == 0.3
    assert np.isinf(folded[0, STAR_TYPES.index("A0")])
