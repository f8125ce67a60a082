"""Stars are called what the survey's own fit of templates would call them."""

from __future__ import annotations

import numpy as np
import pytest

from classifiers.training.simulation.basis import Basis
from classifiers.training.simulation.grid import LOG10_START, LOG10_STEP, PIXELS, Float32
from classifiers.training.simulation.low_rank import STAR_LOG10_START
from classifiers.training.simulation.scheme import ADDED, CLASSES, FIRST_STAR, MULTIPLIED, OTHER_INDEX, OTHER_TYPES
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
    return [FIRST_STAR + kind if kind < 7 else OTHER_INDEX for kind in basis["template_class"].astype(int).tolist()]


@pytest.mark.parametrize("continuum", [ADDED, MULTIPLIED])
@pytest.mark.parametrize("pixels", [0, 5])
def test_each_template_gets_its_own_class_at_its_velocity(
    basis: Basis, templates: StarTemplates, continuum: str, pixels: int
) -> None:
    flux = spectra(basis, pixels)
    weight = np.full_like(flux, 400.0)
    redshift = np.full(len(flux), 10.0 ** (LOG10_STEP * pixels) - 1.0)
    found = templates.label(flux, weight, flux, redshift, continuum)
    served = np.ones(len(flux), np.bool_) if continuum == ADDED else basis["template_class"] < 7
    assert (found.class_index == np.array(classes(basis)))[served].all()
    np.testing.assert_allclose(found.target.sum(axis=1)[served], 1.0)


def test_lamost_calls_no_star_of_the_scheme_another_type_nor_the_other_way_round() -> None:
    drawn = Simulator.load().draw(200, np.random.default_rng(3), "LAMOST", kinds={"STAR": 1.0, "OTHER": 1.0})
    assert ((drawn.class_index == OTHER_INDEX) == (drawn.class_target[:, OTHER_INDEX] == 1.0)).all()


def test_k1_is_not_k3_where_the_spectrum_can_tell_and_may_be_where_it_cannot(
    basis: Basis, templates: StarTemplates
) -> None:
    row = classes(basis).index(CLASSES.index("STAR_K1"))
    flux = spectra(basis)[[row]]
    still = np.zeros(1)
    k1, k3 = CLASSES.index("STAR_K1"), CLASSES.index("STAR_K3")
    bright = templates.label(flux, np.full_like(flux, 30.0**2), flux, still, ADDED).target[0]
    faint = templates.label(flux, np.full_like(flux, 1.5**2), flux, still, ADDED).target[0]
    assert bright[k1] > 0.95
    assert faint[k1] > faint[k3] > 0.2


def test_noise_never_makes_a_k_star_a_t_dwarf(basis: Basis, templates: StarTemplates) -> None:
    row = classes(basis).index(CLASSES.index("STAR_K3"))
    clean = np.repeat(spectra(basis)[[row]], 200, axis=0)
    noisy = clean + 3.0 * np.random.default_rng(1).standard_normal(clean.shape).astype(np.float32)
    found = templates.label(noisy, np.full_like(clean, 1.0 / 9.0), clean, np.zeros(200), ADDED)
    assert (found.class_index != OTHER_INDEX).all()


def test_a_cubic_added_and_a_quartic_multiplied_change_no_label(basis: Basis, templates: StarTemplates) -> None:
    flux = spectra(basis)[basis["template_class"] < 7]
    expected = [index for index in classes(basis) if index != OTHER_INDEX]
    x = np.linspace(-1.0, 1.0, PIXELS, dtype=np.float32)
    weight, still = np.full_like(flux, 400.0), np.zeros(len(flux))
    for bent, continuum in ((flux + 0.3 * x - 0.2 * x**3, ADDED), (flux * (1.0 + 0.3 * x - 0.2 * x**4), MULTIPLIED)):
        assert templates.label(bent, weight, flux, still, continuum).class_index.tolist() == expected


def test_masked_pixels_decide_nothing(basis: Basis, templates: StarTemplates) -> None:
    flux = spectra(basis)[:11]
    weight = np.full_like(flux, 100.0)
    weight[:, 1000:1400] = 0.0
    wild = flux.copy()
    wild[:, 1000:1400] = 1e4
    still = np.zeros(len(flux))
    one, two = (templates.misfit(each, weight, still, ADDED) for each in (flux, wild))
    np.testing.assert_array_equal(one, two)


def test_names_of_templates_stand_for_classes_or_types_outside_the_scheme() -> None:
    assert CLASSES[FIRST_STAR + template_class("K7")] == "STAR_K5"
    assert CLASSES[FIRST_STAR + template_class("A0p")] == "STAR_A0"
    named = {name: OTHER_TYPES[template_class(name) - 7] for name in ("CarbonWD", "Carbon", "B9", "L5.5", "M0V")}
    assert named == {"CarbonWD": "WD", "Carbon": "CARBON", "B9": "OB", "L5.5": "LT", "M0V": "M"}


@pytest.mark.slow
def test_no_star_class_is_starved() -> None:
    drawn = Simulator.load().draw(1500, np.random.default_rng(4), kinds={"STAR": 1.0})
    counts = np.bincount(drawn.class_index, minlength=OTHER_INDEX + 1)[FIRST_STAR:OTHER_INDEX]
    assert counts.min() > 1500 / 7 / 2
    assert (drawn.class_index == OTHER_INDEX).mean() < 0.1
