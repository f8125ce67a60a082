"""Redshifts that are published: of which family, with which error, and what is to be said against them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from classifiers.bundle.calibration import Calibration
from classifiers.verdict.measured import Measured
from classifiers.verdict.redshift import Own, error_factors, of_the_published
from classifiers.verdict.spectral import LEAST_REDSHIFT_ERROR, spectral_verdicts
from tests.classifiers.verdict.answered import CLASSES, DWARF, classifier, one, prepared, spectra


def test_stars_have_a_velocity_and_no_redshift() -> None:
    verdicts = one(classifier(1, class_logits=[0.0, 0.0, 3.0, -5.0]))
    assert np.isnan(verdicts.columns["redshift"][0])
    assert verdicts.columns["radial_velocity_km_s"][0] == 20.0
    assert verdicts.zwarn[0] == -1
    assert np.isnan(one(classifier(1)).columns["radial_velocity_km_s"][0])


@pytest.mark.parametrize(
    ("bits", "outputs", "batch"),
    [
        (0, {}, {}),
        (1, {}, {"snr": 1.5}),
        (2, {"redshift_margin": 0.1}, {}),
        (4, {"redshift": 0.0005}, {}),
        (4, {"redshift": 2.0}, {}),
        (8, {}, {"coverage": 0.4}),
        (16, {"energy": 5.0}, {}),
        (16, DWARF, {}),
    ],
)
def test_redshift_warnings_name_what_is_wrong(bits: int, outputs: Any, batch: Any) -> None:
    assert one(classifier(1, **outputs), prepared(1, **batch)).zwarn[0] == bits


def test_errors_of_galaxies_are_those_of_their_signal() -> None:
    """Linear in the logarithm between two S/N, constant beyond; quasars have one factor, and no S/N the first."""
    calibration = Calibration(id="c", n=9, redshift_error_factor=3.0, redshift_error_by_snr=((2.0, 1.0), (8.0, 0.2)))
    families = np.array(["GALAXY"] * 5 + ["QSO"])
    factors = error_factors(calibration, families, np.array([1.0, 2.0, 4.0, 50.0, np.nan, 4.0]))
    assert factors.tolist() == pytest.approx([1.0, 1.0, 0.6, 0.2, 1.0, 3.0])
    galaxy = classifier(1, calibration, class_logits=[2.0, 0.0, -5.0, -5.0], redshift_error=0.01)
    assert one(galaxy, prepared(1, snr=4.0)).columns["redshift_error"][0] == pytest.approx(0.006)
    plain = Calibration(id="c", n=9, redshift_error_factor=3.0)
    assert error_factors(plain, families, np.ones(6)).tolist() == [3.0] * 6


def test_the_edge_of_the_range_is_that_of_the_family() -> None:
    """Galaxies are looked for to a lower redshift than quasars."""
    ranges = {"GALAXY": (0.0, 1.2)}
    for logits, redshift, bits in (
        ([2.0, 0, 0, -5.0], 1.2, 4),
        ([0, 2.0, 0, -5.0], 1.2, 0),
        ([0, 2.0, 0, -5.0], 2.0, 4),
    ):
        answer = classifier(1, class_logits=logits, redshift=redshift)
        answer = replace(answer, manifest=answer.manifest.model_copy(update={"family_redshift_ranges": ranges}))
        assert one(answer).zwarn[0] == bits


def test_a_redshift_is_of_the_family_that_is_published() -> None:
    """Lines split galaxies so that a quasar leads: the quasar's solution counts, without an error, and is ambiguous."""
    answer = classifier(
        1, class_logits=[1.2, 1.0, -2.0, -5.0], redshift=0.3, alternative_class=[1, -1],
        alternative_redshift=[1.5, 0.0], alternative_probability=[0.4, 0.0],
    )  # fmt: skip
    before = one(answer)
    assert (before.top_class[0], before.columns["redshift"][0]) == (0, pytest.approx(0.3))
    found = (np.array([[1, -1]]), np.array([[1.5, np.nan]]), np.array([[0.4, np.nan]]))
    own = Own(np.array([0]), np.array([0.3]), np.array([0.55]))
    instead = of_the_published(found, np.array([*CLASSES, ""]), own, np.array(["QSO"]))
    assert instead[0] == 1.5
    assert (found[0][0, 0], found[1][0, 0], found[2][0, 0]) == (0, 0.3, 0.55)
    assert np.isnan(of_the_published(found, np.array([*CLASSES, ""]), own, np.array(["STAR"]))[0])
    assert np.isnan(of_the_published(found, np.array([*CLASSES, ""]), own, np.array(["GALAXY"]))[0])


def test_what_the_network_takes_for_a_star_is_no_galaxy_at_redshift_zero() -> None:
    """Each of two classes of galaxies is less probable than a star, until their lines say which of them it is."""
    measured = Measured.nothing(1, 3, ())
    measured.share[0, :2] = 0.95, 0.05
    answer = classifier(1, class_logits=[0.0, 0.0, 0.4, -9.0], redshift=0.0)
    names = {"class_names": ("GALAXY_nan", "GALAXY_AGN", "STAR")}
    answer = replace(answer, manifest=answer.manifest.model_copy(update=names))
    verdicts = spectral_verdicts(spectra(1), prepared(1), {"spectral_classifier": answer}, measured)
    assert verdicts.top_class[0] == 0
    assert verdicts.columns["redshift"][0] == pytest.approx(0.2)
    assert np.isnan(verdicts.columns["redshift_error"][0])
    assert verdicts.zwarn[0] == 2
    assert (verdicts.alternative_class[0, 0], verdicts.alternative_redshift[0, 0]) == (2, 0.0)


def test_no_redshift_is_surer_than_a_wavelength_scale() -> None:
    """A posterior within one bin has no width of its own."""
    columns = one(classifier(1, class_logits=[2.0, 0.0, -5.0, -5.0], redshift_error=0.0, redshift=0.7)).columns
    assert columns["redshift_error"][0] == pytest.approx(LEAST_REDSHIFT_ERROR * 1.7)
