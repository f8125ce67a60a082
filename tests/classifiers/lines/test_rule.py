"""SDSS's subclass rule as probabilities: certain where the lines are, undecided at its borders."""

from __future__ import annotations

from dataclasses import replace
from math import erf

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifiers.lines.measure import MeasuredLines
from classifiers.lines.rule import GALAXY_SUBCLASSES, QSO_SUBCLASSES, normal, subclasses
from classifiers.lines.table import NAMES

K = len(NAMES)


def lines(flux: dict[str, float], error: float = 1.0, width: float = 10.0) -> MeasuredLines:
    values = np.full((1, K), np.nan)
    for name, value in flux.items():
        values[0, NAMES.index(name)] = value
    there = np.isfinite(values)
    full = lambda value: np.where(there, value, np.nan)  # noqa: E731
    return MeasuredLines(
        flux=values, flux_error=full(error), published_error=full(error), equivalent_width=full(width),
        equivalent_width_error=full(1.0), velocity_width=full(100.0), velocity_width_error=full(5.0),
        sigma=full(120.0), sigma_error=full(5.0), redshift=np.array([0.1]), redshift_error=np.array([1e-5]),
    )  # fmt: skip


def galaxy(found: MeasuredLines) -> dict[str, float]:
    return dict(zip(GALAXY_SUBCLASSES, subclasses(found).galaxy[0].tolist(), strict=True))


def broad(found: MeasuredLines) -> float:
    return float(subclasses(found).qso[0, QSO_SUBCLASSES.index("BROADLINE")])


FORMING = {"[O III] 5007": 50.0, "H beta": 100.0, "H alpha": 300.0, "[N II] 6583": 90.0}
ACTIVE = {"[O III] 5007": 500.0, "H beta": 100.0, "H alpha": 300.0, "[N II] 6583": 300.0}


@pytest.mark.parametrize(
    ("flux", "width", "expected"),
    [
        (FORMING, 20.0, "STARFORMING"),
        (FORMING, 80.0, "STARBURST"),
        (ACTIVE, 80.0, "AGN"),
        ({**FORMING, "[N II] 6583": 1.0}, 80.0, "nan"),
        ({name: flux for name, flux in FORMING.items() if name != "H alpha"}, 80.0, "nan"),
        ({}, 80.0, "nan"),
    ],
)
def test_clear_lines_give_the_surveys_subclass(flux: dict[str, float], width: float, expected: str) -> None:
    assert galaxy(lines(flux, width=width))[expected] > 0.95


def test_a_line_at_the_threshold_is_detected_with_probability_one_half() -> None:
    found = galaxy(lines({**FORMING, "[O III] 5007": 3.0}))
    assert found["nan"] == pytest.approx(0.5, abs=1e-6)


def test_an_observed_equivalent_width_at_the_border_is_a_starburst_with_probability_one_half() -> None:
    found = galaxy(lines(FORMING, width=50.0 / 1.1))
    assert found["STARBURST"] == pytest.approx(found["STARFORMING"], abs=1e-3)


def test_without_a_continuum_strong_lines_are_a_starburst() -> None:
    assert galaxy(lines(FORMING, width=np.nan))["STARBURST"] > 0.95


def test_a_broad_line_of_high_significance_is_broad_and_a_narrow_or_faint_one_is_not() -> None:
    wide = replace(lines({"Mg II 2799": 30.0}), sigma=np.full((1, K), 2000.0))
    assert broad(wide) > 0.99
    assert broad(lines({"Mg II 2799": 30.0})) < 0.01
    assert broad(replace(wide, flux_error=np.full((1, K), 5.0))) < 0.01
    assert broad(replace(wide, sigma_error=np.full((1, K), 500.0))) < 0.1
    assert broad(replace(wide, sigma_error=np.full((1, K), np.inf))) < 0.01


def test_an_ultraviolet_line_is_not_broad_where_forbidden_lines_lead_the_common_width() -> None:
    wide = np.full((1, K), 2000.0)
    assert broad(replace(lines({"Mg II 2799": 30.0, "[O III] 5007": 40.0}), sigma=wide)) > 0.99  # [O III] itself
    sigma = wide.copy()
    sigma[0, NAMES.index("[O III] 5007")] = 150.0
    assert broad(replace(lines({"Mg II 2799": 30.0, "[O III] 5007": 40.0}), sigma=sigma)) < 0.01
    assert broad(replace(lines({"Mg II 2799": 30.0, "[O III] 5007": 20.0}), sigma=sigma)) > 0.99


@given(st.lists(st.one_of(st.floats(-1e6, 1e6), st.just(float("nan"))), min_size=K, max_size=K), st.floats(1e-3, 1e6))
def test_probabilities_sum_to_one_whatever_was_measured(flux: list[float], error: float) -> None:
    for rows in subclasses(lines(dict(zip(NAMES, flux, strict=True)), error)):
        assert rows.sum() == pytest.approx(1.0)
        assert (rows >= 0).all()


def test_the_normal_distribution_is_accurate() -> None:
    x = np.linspace(-6.0, 6.0, 401)
    exact = np.array([0.5 * (1.0 + erf(each / np.sqrt(2.0))) for each in x.tolist()])
    np.testing.assert_allclose(normal(x), exact, atol=1e-7)
    assert normal(np.array([-np.inf, np.inf])).tolist() == [0.0, 1.0]
