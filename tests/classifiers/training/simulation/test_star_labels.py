"""Stars are called what a survey's own fit of templates would call them, as surely as its details let it."""

from __future__ import annotations

import numpy as np
import pytest

from classifiers.training.simulation.basis import Basis
from classifiers.training.simulation.grid import LOG10_START, LOG10_STEP, PIXELS, Float32, Float64
from classifiers.training.simulation.low_rank import STAR_LOG10_START
from classifiers.training.simulation.scheme import CLASSES, FIRST_STAR, KINDS, OTHER_INDEX, OTHER_TYPES
from classifiers.training.simulation.simulator import Simulator
from classifiers.training.simulation.star_labels import StarTemplates, template_class

_OFFSET = round((LOG10_START - STAR_LOG10_START) / LOG10_STEP)


@pytest.fixture(scope="module")
def basis() -> Basis:
    return Basis.load()


@pytest.fixture(scope="module")
def templates(basis: Basis) -> StarTemplates:
    return StarTemplates(basis)


def spectra(basis: Basis, pixels: int = 0) -> Float32:
    """Return all templates on the native grid, moved by some pixels to the red."""
    first = _OFFSET - pixels
    return basis["template_flux"][:, first : first + PIXELS].copy()


def classes(basis: Basis) -> list[int]:
    """Return the class index that each template stands for."""
    return [FIRST_STAR + kind for kind in basis["template_class"].astype(int).tolist()]


def labels(templates: StarTemplates, flux: Float32, snr: float, redshift: float = 0.0) -> Float64:
    """Return the probabilities of spectra without noise that are said to have some."""
    weight = np.full_like(flux, snr**2)
    return templates.label(flux, weight, flux, np.full(len(flux), redshift))


@pytest.mark.parametrize("pixels", [0, 5])
def test_each_template_is_most_probably_of_its_own_class_at_its_velocity(
    basis: Basis, templates: StarTemplates, pixels: int
) -> None:
    target = labels(templates, spectra(basis, pixels), 20.0, 10.0 ** (LOG10_STEP * pixels) - 1.0)
    assert target.argmax(axis=1).tolist() == classes(basis)
    np.testing.assert_allclose(target.sum(axis=1), 1.0)
    assert not target[:, :FIRST_STAR].any()


def test_stars_that_differ_by_less_than_details_of_a_fit_are_never_sure(basis: Basis, templates: StarTemplates) -> None:
    k1, k3 = CLASSES.index("STAR_K1"), CLASSES.index("STAR_K3")
    target = labels(templates, spectra(basis)[[classes(basis).index(k1)]], 100.0)[0]
    assert 0.5 < target[k1] < 0.8
    assert 0.2 < target[k3] < 0.5


def test_labels_are_surer_the_brighter_a_star_is_up_to_the_details_of_the_fit(
    basis: Basis, templates: StarTemplates
) -> None:
    surest = [labels(templates, spectra(basis), snr).max(axis=1).mean() for snr in (0.5, 2.0, 10.0, 100.0, 1000.0)]
    assert surest == sorted(surest)
    assert surest[0] < 0.7
    assert 0.8 < surest[-1] < 0.99
    assert surest[-1] - surest[-2] < 0.01


def test_noise_never_makes_a_g_star_an_m_dwarf(basis: Basis, templates: StarTemplates) -> None:
    row = classes(basis).index(CLASSES.index("STAR_G2"))
    clean = np.repeat(spectra(basis)[[row]], 200, axis=0)
    noisy = clean + 3.0 * np.random.default_rng(1).standard_normal(clean.shape).astype(np.float32)
    target = templates.label(noisy, np.full_like(clean, 1.0 / 9.0), clean, np.zeros(200))
    assert not target[:, OTHER_INDEX].any()


def test_a_quartic_changes_no_label(basis: Basis, templates: StarTemplates) -> None:
    flux = spectra(basis)
    x = np.linspace(-1.0, 1.0, PIXELS, dtype=np.float32)
    target = labels(templates, flux * (1.0 + 0.3 * x - 0.2 * x**4), 20.0)
    assert target.argmax(axis=1).tolist() == classes(basis)


def test_masked_pixels_decide_nothing(basis: Basis, templates: StarTemplates) -> None:
    flux = spectra(basis)
    weight = np.full_like(flux, 100.0)
    weight[:, 1000:1400] = 0.0
    wild = flux.copy()
    wild[:, 1000:1400] = 1e4
    one, two = (templates.label(each, weight, flux, np.zeros(len(flux))) for each in (flux, wild))
    np.testing.assert_array_equal(one, two)


def test_names_of_templates_stand_for_classes_m_dwarfs_or_nothing() -> None:
    found = {name: template_class(name) for name in ("K7", "K1", "M0V", "A0p", "Carbon", "L5.5")}
    assert found == {"K7": 6, "K1": 4, "M0V": 7, "A0p": None, "Carbon": None, "L5.5": None}


def test_m_dwarfs_are_outside_the_scheme_whatever_template_is_nearest_to_the_earliest() -> None:
    drawn = Simulator.load().draw(400, np.random.default_rng(3), kinds={"OTHER": 1.0})
    assert (drawn.class_target[:, OTHER_INDEX] == 1.0).all()
    assert (drawn.other_type == OTHER_TYPES.index("M")).any()


@pytest.mark.slow
def test_classes_of_stars_are_drawn_from_their_probabilities_and_none_is_starved() -> None:
    drawn = Simulator.load().draw(3000, np.random.default_rng(4), kinds={"STAR": 1.0})
    counts = np.bincount(drawn.class_index, minlength=OTHER_INDEX + 1)[FIRST_STAR:]
    expected = drawn.class_target.sum(axis=0)[FIRST_STAR:]
    assert np.abs(counts - expected).max() < 4.0 * np.sqrt(expected.max())
    assert counts[:-1].min() > 3000 / 7 / 2
    outside = drawn.class_index == OTHER_INDEX
    assert outside.mean() < 0.05
    np.testing.assert_array_equal(outside, drawn.kind == KINDS.index("OTHER"))
    np.testing.assert_array_equal(outside, drawn.other_type == OTHER_TYPES.index("M"))
