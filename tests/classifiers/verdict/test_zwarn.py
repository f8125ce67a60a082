"""Warnings of redshifts that have a number and are not to be trusted: a wide error, a line that is all there is."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from classifiers.classifier import Lines
from classifiers.verdict.zwarn import LONE_LINE, UNCERTAIN, has_lone_line
from tests.classifiers.verdict.answered import classifier, one

GALAXY, QUASAR = [2.0, 0.0, -5.0, -5.0], [0.0, 2.0, -5.0, -5.0]
NAMES = ("[O II] 3727", "H beta", "[O III] 5007", "H alpha")


@pytest.mark.parametrize(
    ("logits", "error_km_s", "bits"),
    [
        (GALAXY, 490.0, 0),
        (GALAXY, 510.0, UNCERTAIN),
        (QUASAR, 510.0, 0),
        (QUASAR, 1490.0, 0),
        (QUASAR, 1510.0, UNCERTAIN),
    ],
)
def test_an_error_of_half_a_catastrophe_is_warned_of(logits: list[float], error_km_s: float, bits: int) -> None:
    """Galaxies fail by 1,000 km/s, quasars by 3,000."""
    error = error_km_s / 299_792.458 * 1.7
    verdicts = one(classifier(1, class_logits=logits, redshift=0.7, redshift_error=error))
    assert verdicts.columns["redshift_error"][0] == pytest.approx(error)
    assert verdicts.zwarn[0] == bits


def lines(names: tuple[str, ...] = NAMES, **flux: float) -> Lines:
    """Return lines of one spectrum with errors of 1; those without a flux were not seen."""
    given = {"O2": "[O II] 3727", "Hb": "H beta", "O3": "[O III] 5007", "Ha": "H alpha"}
    by_name = {given[key]: value for key, value in flux.items()}
    found = np.array([[by_name.get(name, np.nan) for name in names]])
    error = np.where(np.isfinite(found), 1.0, np.nan)
    return Lines(names, found, error, *np.full((4, 1, len(names)), np.nan))


@pytest.mark.parametrize(
    ("flux", "lone"),
    [
        ({"O3": 20.0, "Hb": 1.0, "Ha": -0.5, "O2": 0.5}, True),
        ({"Ha": 20.0}, True),
        ({"O3": 20.0, "Hb": 5.0}, False),
        ({"O3": 20.0, "Ha": 3.0, "O2": 3.0}, False),
        ({"O3": 6.0, "Ha": 0.0}, False),
        ({"O2": 20.0, "Hb": 0.0, "O3": 0.0}, False),
        ({"O2": 20.0, "Ha": 1.0, "Hb": 5.0}, True),
        ({"O2": 20.0, "Ha": 5.0}, False),
        ({"O2": 8.0, "Ha": 0.5}, False),
        ({"O2": 20.0, "Ha": -30.0}, True),
        ({}, False),
    ],
)
def test_one_line_is_not_enough_where_others_should_be(flux: Mapping[str, float], lone: bool) -> None:
    """[O II] alone is common where H alpha is out of view, and impossible where it is seen not to be there."""
    assert has_lone_line(lines(**flux)).tolist() == [lone]


def test_lines_of_another_list_are_judged_by_what_it_has() -> None:
    """Without [O II] or H alpha in it, and without any line."""
    assert has_lone_line(lines(("H beta", "[O III] 5007"), O3=20.0, Hb=1.0)).tolist() == [True]
    assert has_lone_line(lines(("[O II] 3727", "H beta"), O2=20.0, Hb=1.0)).tolist() == [False]
    assert has_lone_line(Lines((), *np.zeros((6, 2, 0)))).tolist() == [False, False]


def test_galaxies_are_warned_of_a_lone_line_and_quasars_have_one_line_often() -> None:
    alone = {"line_flux": [20.0], "line_flux_error": [1.0]}
    for logits, bits in ((GALAXY, LONE_LINE), (QUASAR, 0)):
        assert one(classifier(1, lines=("H alpha",), class_logits=logits, **alone)).zwarn[0] == bits
