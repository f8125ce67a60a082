"""Mocks: counts as published, magnitudes as asked, noise as the depths say, the same from the same seed."""

from __future__ import annotations

import numpy as np
import pytest

from classifiers.training.narrowband import counts
from classifiers.training.narrowband.bands import NAMES, SPEED_OF_LIGHT_ANGSTROM_S, ab_flux
from classifiers.training.narrowband.l1_records import median_snr, simulated_narrowband_records
from classifiers.training.narrowband.missing import PATTERNS, of_a_survey, of_any
from classifiers.training.narrowband.noise import Observed, depths, observe
from classifiers.training.narrowband.purity import (
    BEYOND,
    QUASARS_PER_DEG2,
    purity_by_magnitude,
    shifted_probability,
    sky_weights,
)
from classifiers.training.narrowband.simulator import CLASSES, KINDS, Mocks, NarrowbandSimulator


@pytest.fixture(scope="module")
def simulator() -> NarrowbandSimulator:
    return NarrowbandSimulator.load()


@pytest.fixture(scope="module")
def mocks(simulator: NarrowbandSimulator) -> Mocks:
    return simulator.draw(dict.fromkeys(KINDS, 300), np.random.default_rng(4))


def test_quasar_counts_are_those_of_the_table() -> None:
    """At a bin's centre the density is the table's; to r = 22 there are as many as published, within 10 %."""
    at_centre = counts.quasar_density(np.array([21.25]), np.array([1.5, 2.5]))[0]
    np.testing.assert_allclose(at_centre, [172381 / 5000, 108661 / 5000], rtol=1e-6)
    r, z = np.arange(15.525, 22.0, 0.05), np.arange(0.025, 5.5, 0.05)
    total = counts.quasar_density(r, z).sum() * 0.05**2
    table = counts._QSO_COUNTS[:13].sum() / 10_000
    assert total == pytest.approx(table, rel=0.1)
    assert counts.quasar_density(r, np.array([-0.1, 5.6])).sum() == 0


def test_all_sources_together_are_as_many_as_declared() -> None:
    """5e4 per square degree, a tenth of them stars, less than a hundredth quasars."""
    by_kind = {kind: counts.total(kind) for kind in KINDS}
    assert sum(by_kind.values()) == pytest.approx(counts.SOURCES_PER_DEG2, rel=1e-3)
    assert 0.05 < by_kind["STAR"] / counts.SOURCES_PER_DEG2 < 0.2
    assert by_kind["QSO"] / counts.SOURCES_PER_DEG2 < 0.01


def test_mocks_have_the_r_magnitudes_and_redshifts_that_they_claim(
    mocks: Mocks, simulator: NarrowbandSimulator
) -> None:
    """The bands within r average to its flux; quasars have redshifts, stars none; nothing is NaN or negative."""
    assert np.isfinite(mocks.flux).all()
    assert (mocks.flux >= 0).all()
    inside = [NAMES.index(f"J0{band}") for band in range(560, 700, 10)]
    per_hertz = mocks.flux[:, inside] * simulator.pivot_angstrom[inside] ** 2 / SPEED_OF_LIGHT_ANGSTROM_S * 1e-17
    magnitude = -2.5 * np.log10(per_hertz.mean(axis=1)) - 48.6
    assert np.abs(np.median(magnitude - mocks.r)) < 0.1
    quasar, star = mocks.kind == 0, mocks.kind == 2
    assert (mocks.redshift[star] == 0).all()
    assert mocks.redshift[quasar].min() >= 0.05
    high = mocks.class_index() == CLASSES.index("QSO_HIGH_Z")
    assert (high == (quasar & (mocks.redshift >= 2.1))).all()
    assert not mocks.extended[~(mocks.kind == 1)].any()


def test_the_same_seed_gives_the_same_mocks(simulator: NarrowbandSimulator, mocks: Mocks) -> None:
    """Another seed gives others; an unknown kind is named."""
    again = simulator.draw(dict.fromkeys(KINDS, 300), np.random.default_rng(4))
    other = simulator.draw(dict.fromkeys(KINDS, 300), np.random.default_rng(5))
    assert again.flux.tobytes() == mocks.flux.tobytes()
    assert other.flux.tobytes() != mocks.flux.tobytes()
    with pytest.raises(ValueError, match="GALAXIE"):
        simulator.draw({"GALAXIE": 3}, np.random.default_rng(1))


def test_a_source_at_the_depth_of_a_band_has_a_signal_of_five_sigma(simulator: NarrowbandSimulator) -> None:
    """By definition, but for the scatter of depths and the little noise of the source itself."""
    pivot = simulator.pivot_angstrom
    assert depths(pivot).min() >= 22.0
    assert depths(pivot).max() <= 23.5
    flux = np.tile(ab_flux(depths(pivot)) * SPEED_OF_LIGHT_ANGSTROM_S / pivot**2 * 1e17, (2000, 1))
    seen = observe(flux, pivot, np.random.default_rng(1))
    np.testing.assert_allclose(np.median(flux / seen.sigma, axis=0), 5.0, rtol=0.06)
    pull = (seen.flux - flux) / seen.sigma
    assert np.abs(np.median(pull)) < 0.02
    assert 0.95 < np.std(pull) < 1.15
    assert 0.02 < 1.0 - seen.good.mean() < 0.15
    assert observe(flux, pivot, np.random.default_rng(1), None).good.all()


def test_what_a_network_must_bear_is_half_as_surveys_have_it_and_half_with_much_missing() -> None:
    """Bands missing at random up to half of them, or at both ends and nowhere else."""
    survey = of_a_survey((4000, len(NAMES)), np.random.default_rng(1)).mean(axis=1)
    good = of_any((4000, len(NAMES)), np.random.default_rng(2))
    coverage = good.mean(axis=1)
    assert np.mean(survey < 0.9) < 0.35
    assert 0.3 < np.mean(coverage < 0.9) < 0.6
    assert coverage.min() < 0.5
    steps = np.abs(np.diff(np.pad(good, ((0, 0), (1, 1))).astype(int), axis=1)).sum(axis=1)
    cut = (steps == 2) & ~good[:, 0] & ~good[:, -1]
    assert 0.15 < cut.mean() < 0.3


def test_patterns_lack_what_their_names_say() -> None:
    """Shares of the bands, and none in the middle where only ends are missing."""
    shares = {name: draw((500, len(NAMES)), np.random.default_rng(3)).mean() for name, draw in PATTERNS.items()}
    assert shares["none missing"] == 1.0
    assert shares["10 % missing"] == pytest.approx(0.9, abs=0.01)
    assert shares["half missing, out of the domain"] == pytest.approx(0.5, abs=0.01)
    assert shares["the two red trays missing, out of the domain"] == pytest.approx(0.5, abs=0.02)
    assert PATTERNS["both ends missing"]((1, len(NAMES)), np.random.default_rng(3))[0, 10:-10].all()


def test_sky_weights_are_the_declared_densities(mocks: Mocks) -> None:
    """75 quasars per square degree beyond z = 2.2, 5e4 sources in all."""
    weights = sky_weights(mocks)
    beyond = (mocks.kind == 0) & (mocks.redshift > BEYOND)
    assert weights[beyond].sum() == pytest.approx(QUASARS_PER_DEG2)
    assert weights.sum() == pytest.approx(counts.SOURCES_PER_DEG2)


def test_a_perfect_ranking_is_pure_and_a_blind_one_is_not(mocks: Mocks) -> None:
    """Purity 1 at every completeness; without knowledge, the share of quasars among all sources."""
    truth = mocks.class_index()
    perfect = np.eye(len(CLASSES))[truth] * 0.98 + 0.005
    blind = np.full((len(mocks), len(CLASSES)), 0.25)
    weights = sky_weights(mocks)
    assert (shifted_probability(perfect, mocks, weights) > 0.001)[truth == 1].all()
    best = purity_by_magnitude(mocks, perfect, (16.0, 23.5))["by_magnitude"]["r 16 to 23.5"]["all_sources"]
    assert [found["purity"] for found in best.values()] == [1.0] * 3
    worst = purity_by_magnitude(mocks, blind, (16.0, 23.5))["by_magnitude"]["r 16 to 23.5"]
    share = worst["quasars_per_deg2"] / worst["sources_per_deg2"]
    assert worst["all_sources"]["0.9"]["purity"] == pytest.approx(share, rel=0.05)


def test_records_say_what_they_are_and_not_what_is_true(simulator: NarrowbandSimulator) -> None:
    """NARROWBAND, 56 bands, missing ones flagged; a longer run begins with a shorter one."""
    three = list(simulated_narrowband_records(simulator, 3, 9))
    five = list(simulated_narrowband_records(simulator, 5, 9))
    for one, two in zip(three, five, strict=False):
        assert one.truth == two.truth
        assert one.record["flux"].tobytes() == two.record["flux"].tobytes()
        assert one.record["sampling"] == "NARROWBAND"
        assert len(one.record["wavelength"]) == len(one.record["flux"]) == 56
        assert "redshift" not in one.record
        assert ((one.record["quality"] != 0) == (one.record["uncertainty"] == 0)).all()
        assert one.truth.class_name in CLASSES


def test_the_signal_to_noise_of_a_record_is_that_of_the_bands_that_are_there() -> None:
    """However many are not; 0 without any."""
    ratio = np.tile(np.linspace(1.0, 11.0, 56), (3, 1))
    good = np.ones((3, 56), np.bool_)
    good[1, :40], good[2] = False, False
    seen = Observed(2.0 * ratio, np.full((3, 56), 2.0), good)
    np.testing.assert_allclose(median_snr(seen), [6.0, np.median(ratio[0, 40:]), 0.0])


def test_purity_is_at_least_its_lower_limit_and_more_mocks_raise_it(mocks: Mocks) -> None:
    """Where none is taken wrongly the limit has 3.0 mocks of each kind, the Poisson limit of 95 % for none."""
    few = mocks.rows(np.arange(450))
    limits = []
    for some in (few, mocks):
        perfect = np.eye(len(CLASSES))[some.class_index()] * 0.98 + 0.005
        found = purity_by_magnitude(some, perfect, (16.0, 23.5))["by_magnitude"]["r 16 to 23.5"]["all_sources"]["0.9"]
        limits.append(found["lower_limit_95"])
        weights, wanted = sky_weights(some), some.class_index() == 1
        heaviest = sum(weights[some.kind == kind].max() for kind in range(3))
        right = weights[wanted].sum()
        assert found["lower_limit_95"] == pytest.approx(right / (right + 2.9957 * heaviest), abs=2e-4)
    assert limits[0] < limits[1] < 1.0
    blind = np.full((len(mocks), len(CLASSES)), 0.25)
    for sources in ("all_sources", "point_like_only"):
        for found in purity_by_magnitude(mocks, blind, (16.0, 23.5))["by_magnitude"]["r 16 to 23.5"][sources].values():
            assert 0.5 * found["purity"] < found["lower_limit_95"] < found["purity"]


def test_fewer_sources_are_brighter_than_a_limit() -> None:
    """By the slope of the counts; at the mocks' own limit all of them."""
    for kind in KINDS:
        assert counts.total(kind, counts.FAINT) == counts.total(kind)
        assert 0.5 < counts.total(kind, 23.0) / counts.total(kind) < 0.95
