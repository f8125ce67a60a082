"""The stage of lines: what it adds to the network's answer, and what it leaves alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from classifiers.items import GridAxis, Spectrum
from classifiers.lines.table import C_KM_S, LINES, NAMES
from classifiers.loaded import load_engines
from classifiers.preprocess.grid import COMMON_GRID
from classifiers.preprocess.prepare import prepare
from classifiers.spectral.measuring import measured
from classifiers.suite import MODELS, open_suites
from classifiers.verdict.answers import Answer
from classifiers.verdict.measured import Measured, with_measured_shares
from classifiers.verdict.probabilities import ClassProbabilities

AXIS = GridAxis("LOG10", 3.55, 1e-4, 4671)
CLASSIFIER = MODELS / "spectral-classifier"


def star_forming(seed: int, redshift: float = 0.1, brightness: float = 1.0, strength: float = 1.0) -> Spectrum:
    rng = np.random.default_rng(seed)
    wavelength = 10.0 ** (AXIS.start + AXIS.step * np.arange(AXIS.n))
    flux = np.ones(AXIS.n)
    strengths = {"H alpha": 40.0, "[N II] 6583": 12.0, "H beta": 14.0, "[O III] 5007": 10.0, "[O II] 3727": 20.0}
    for line in LINES:
        for rest, share in line.parts if line.name in strengths else ():
            centre = rest * (1 + redshift)
            sigma = centre * 110.0 / C_KM_S
            area = strength * strengths[line.name] * share / line.reported * (1 + redshift)
            flux += area / (np.sqrt(2 * np.pi) * sigma) * np.exp(-0.5 * ((wavelength - centre) / sigma) ** 2)
    flux = brightness * (flux + 0.1 * rng.standard_normal(AXIS.n))
    return Spectrum(
        axis=AXIS, medium="VACUUM", flux=flux.astype(np.float32),
        uncertainty=np.full(AXIS.n, (0.1 * brightness) ** -2.0, np.float32), uncertainty_kind="IVAR",
        flux_unit="1e-17 erg/s/cm2/Angstrom", quality=None, velocity_correction_km_s=0.0, resolving_power=1900.0,
        sampling="DISPERSED", sky_fibre=False,
    )  # fmt: skip


def answer(probabilities: dict[str, float], redshift: float, error: float = 3e-4, other: float = 0.01) -> Answer:
    loaded = load_engines([CLASSIFIER])[0]
    names = loaded.bundle.manifest.class_names
    shares = np.array([[*(probabilities.get(name, 1e-4) for name in names), other]], np.float64)
    calibration = loaded.bundle.calibration("onnxruntime", "fp32")
    outputs: dict[str, Any] = {
        "class_logits": (np.log(shares) * calibration.temperature).astype(np.float32),
        "redshift": np.array([redshift], np.float32),
        "redshift_error": np.array([error / calibration.redshift_error_factor], np.float32),
        "alternative_class": np.full((1, 1), -1),
        "alternative_redshift": np.zeros((1, 1), np.float32),
        "alternative_probability": np.zeros((1, 1), np.float32),
    }
    return Answer(loaded.bundle.manifest, calibration, outputs)


GALAXY = {"GALAXY_AGN": 0.5, "GALAXY_STARFORMING": 0.2, "GALAXY_nan": 0.2}


def stage(spectrum: Spectrum, given: Answer) -> Measured:
    found = measured([spectrum], prepare([spectrum], COMMON_GRID), given)
    assert found is not None
    return found


def test_the_subclass_follows_the_lines_and_the_redshift_is_refined() -> None:
    found = stage(star_forming(1), answer(GALAXY, 0.1003))
    names = load_engines([CLASSIFIER])[0].bundle.manifest.class_names
    share = dict(zip(names, found.share[0].tolist(), strict=True))
    assert share["GALAXY_STARFORMING"] > 0.8
    assert sum(share[name] for name in names if name.startswith("GALAXY")) == pytest.approx(1.0)
    assert np.isnan(share["QSO_BROADLINE"])
    assert found.redshift[0] == pytest.approx(0.1, abs=4e-5)
    assert 0 < found.redshift_error[0] < 1e-4


def test_fluxes_are_in_the_unit_of_the_spectrum() -> None:
    column = NAMES.index("H alpha")
    for brightness in (1.0, 64.0, 1e-3):
        found = stage(star_forming(2, brightness=brightness), answer(GALAXY, 0.1))
        assert found.lines.flux[0, column] == pytest.approx(44.0 * brightness, rel=0.08)
        assert found.lines.velocity_width[0, column] == pytest.approx(np.sqrt(110.0**2 - 67.0**2), abs=20.0)
        assert 0 < found.lines.velocity_width_error[0, column] < 20.0
        assert 0 < found.lines.equivalent_width_error[0, column] < 0.1 * found.lines.equivalent_width[0, column]


@pytest.mark.parametrize(
    "given",
    [
        answer({"STAR_K5": 0.9}, 0.1),
        answer(GALAXY, 0.1, other=9.0),
        answer(GALAXY, float("inf")),
        answer(GALAXY, 99.0),
    ],
)
def test_a_star_another_type_and_an_impossible_redshift_have_no_lines(given: Answer) -> None:
    found = stage(star_forming(3), given)
    extragalactic = [not name.startswith("STAR") for name in given.manifest.class_names]
    assert np.isnan(found.lines.flux).all()
    assert np.isnan(found.share[:, extragalactic]).all()
    assert np.isnan(found.redshift).all()


def test_a_precise_redshift_of_the_network_stands() -> None:
    assert np.isnan(stage(star_forming(4), answer(GALAXY, 0.1, error=1e-6)).redshift[0])


def test_a_bundle_that_measures_lines_itself_is_left_alone() -> None:
    given = answer(GALAXY, 0.1)
    own = replace(given, manifest=SimpleNamespace(class_names=given.manifest.class_names, lines=("H alpha",)))  # type: ignore[arg-type]
    spectrum = star_forming(5)
    assert measured([spectrum], prepare([spectrum], COMMON_GRID), own) is None


def test_a_familys_probability_is_split_and_not_changed() -> None:
    probabilities = ClassProbabilities(np.array([[0.1, 0.3, 0.6], [0.2, 0.3, 0.5]]), np.array([0.1, 0.2]))
    shares = Measured.nothing(2, 3, NAMES)
    shares.share[0, :2] = 0.75, 0.25
    split = with_measured_shares(probabilities, shares)
    np.testing.assert_allclose(split.classes, [[0.3, 0.1, 0.6], [0.2, 0.3, 0.5]])
    np.testing.assert_array_equal(split.other, [0.1, 0.2])
    shares.p_other[1] = 0.05
    np.testing.assert_array_equal(with_measured_shares(probabilities, shares).other, [0.1, 0.05])


def test_the_shipped_classifier_publishes_lines_of_a_galaxy(tmp_path: Path) -> None:
    """H alpha is clearly below the 50 Angstrom, as observed, from which SDSS calls a galaxy a starburst."""
    spectra = [star_forming(6, strength=0.75), star_forming(7, redshift=0.2)]
    verdicts = open_suites([CLASSIFIER])["spectrum"].classify(spectra)
    assert verdicts.class_names[verdicts.top_class[0]] == "GALAXY_STARFORMING"
    assert verdicts.lines is not None
    assert verdicts.lines.flux[0, NAMES.index("H alpha")] == pytest.approx(33.0, rel=0.1)
    assert np.isnan(verdicts.lines.flux[0, NAMES.index("C IV 1549")])
    assert verdicts.columns["redshift"][1] == pytest.approx(0.2, abs=1e-4)
    assert verdicts.stage_seconds["lines"] > 0
