"""Broad bands from narrow ones, and mocks beside colours that SDSS published."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

from classifiers.training.narrowband.bands import grid_wavelength
from classifiers.training.narrowband.broad_colours import QUASARS, STARS, Broad, broad_bands, broad_colours
from classifiers.training.narrowband.simulator import KINDS, NarrowbandSimulator


@pytest.fixture(scope="module")
def simulator() -> NarrowbandSimulator:
    return NarrowbandSimulator.load()


@pytest.fixture(scope="module")
def bands(simulator: NarrowbandSimulator, data_dir: Path) -> Broad:
    return broad_bands(simulator.photometry, data_dir / "spectra")


def test_what_is_put_together_sees_what_the_broad_band_sees(simulator: NarrowbandSimulator, bands: Broad) -> None:
    """The r that mocks were scaled to, within 0.02 mag of most; lines between two bands' peaks make the rest."""
    mocks = simulator.draw(dict.fromkeys(KINDS, 500), np.random.default_rng(4))
    off = bands.magnitudes(mocks.flux)[:, 1] - mocks.r
    off -= np.median(off)
    assert np.quantile(np.abs(off), 0.9) < 0.02
    assert all(abs(np.median(off[mocks.kind == kind])) < 0.01 for kind in range(len(KINDS)))


@pytest.mark.parametrize("slope", [-3.0, -2.0, -1.0, 0.5])
def test_power_laws_have_their_colours(simulator: NarrowbandSimulator, bands: Broad, slope: float) -> None:
    """F_lambda as a power of wavelength: 2.5 (slope + 2) of the logarithm of the ratio of pivots, nothing at -2."""
    spectrum = (grid_wavelength() / 6000.0) ** slope
    flux = simulator.photometry.mean_flux(spectrum[None, :].astype(np.float32))[:, :-1]
    g, r, i = bands.magnitudes(flux)[0]
    expected = 2.5 * (slope + 2.0) * np.log10(bands.pivot_angstrom[1:] / bands.pivot_angstrom[:-1])
    assert (g - r, r - i) == pytest.approx(tuple(expected), abs=0.012)


def test_mocks_are_near_what_was_published_and_the_report_says_how_near(
    simulator: NarrowbandSimulator, data_dir: Path
) -> None:
    """Stars on the locus, also between K and M; quasars redder by a tenth, and with redshift as they should be."""
    found = broad_colours(simulator, data_dir / "spectra", seed=7, n=12_000)
    quasars = found["QSO"]["g-r"]["rows"]
    assert len(quasars) > 0.8 * len(QUASARS)
    assert 0.0 < found["QSO"]["g-r"]["median_difference_mag"] < 0.2
    published, mocks = (np.array([row[name][0] for row in quasars]) for name in ("published", "mocks"))
    assert np.corrcoef(published, mocks)[0, 1] > 0.9
    stars = found["STAR"]["r-i"]
    assert len(stars["rows"]) > 0.6 * len(STARS)
    assert abs(stars["median_difference_mag"]) < 0.03
    assert stars["rms_difference_mag"] < 0.06
    assert found["QSO"]["r-i"]["rms_difference_mag"] < 0.12
    for row in (*quasars, *stars["rows"]):
        assert row["n"] >= 20
        middle, low, high = row["mocks"]
        assert low < middle < high


def test_the_brighter_a_quasar_the_less_of_its_light_is_of_its_host(
    simulator: NarrowbandSimulator, bands: Broad
) -> None:
    """At redshifts of 0.5 to 0.9, where a host's break lies between r and i."""
    mocks = simulator.draw({"QSO": 6000}, np.random.default_rng(11), flat=1.0)
    near = (mocks.redshift > 0.5) & (mocks.redshift < 0.9)
    _, r, i = bands.magnitudes(mocks.flux).T
    edges = (17.0, 19.5, 21.0, 22.5, 24.0)
    colours = [np.median((r - i)[near & (mocks.r > a) & (mocks.r < b)]) for a, b in itertools.pairwise(edges)]
    assert colours == sorted(colours)
    assert colours[-1] - colours[0] > 0.2
