"""Simulated beside real: pairs of one mix, an area with its interval for every survey, pictures of real numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from classifiers.training.evaluation.document import Number, Plot, Section, Table
from classifiers.training.evaluation.real_spectra import real_spectra
from classifiers.training.evaluation.realism.samples import A_REAL_ONE, INSTRUMENT_OF, Pair, pairs
from classifiers.training.evaluation.realism.section import TITLE, realism
from classifiers.training.simulation.instruments import NAMES

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def found(data_dir: Path) -> list[Pair]:
    return list(pairs(*real_spectra(data_dir / "spectra")))


@pytest.fixture(scope="module")
def section(found: list[Pair]) -> Section:
    return realism(found)


def test_every_survey_is_simulated_by_an_instrument_that_there_is() -> None:
    assert set(INSTRUMENT_OF.values()) <= set(NAMES)


def test_a_pair_has_the_same_mix_of_kinds_and_of_brightness(found: list[Pair]) -> None:
    assert [pair.survey for pair in found] == list(INSTRUMENT_OF)
    for pair in found:
        assert len(pair.simulated.spectra) == pytest.approx(A_REAL_ONE * len(pair.real.spectra), rel=0.02)
        for group in np.unique(pair.real.group):
            shares = [float(np.mean(side.group == group)) for side in (pair.real, pair.simulated)]
            assert shares[0] == pytest.approx(shares[1], abs=0.03)
        middles = [float(np.median(np.arcsinh(side.features.snr))) for side in (pair.real, pair.simulated)]
        assert middles[0] == pytest.approx(middles[1], abs=0.2)


def test_no_simulated_spectrum_is_taken_twice(found: list[Pair]) -> None:
    for pair in found:
        rows = {spectrum.flux.tobytes() for spectrum in pair.simulated.spectra}
        assert len(rows) == len(pair.simulated.spectra)


def test_each_survey_has_an_area_between_its_bounds(section: Section) -> None:
    assert section.title == TITLE
    table = section.items[0]
    assert isinstance(table, Table)
    assert [row[0] for row in table.rows] == list(INSTRUMENT_OF)
    for row in table.rows:
        for cell in row[1:]:
            assert isinstance(cell, Number)
            assert cell.interval is not None
            assert 0.0 <= cell.interval[0] <= cell.value <= cell.interval[1] <= 1.0
            assert cell.n >= 100


def test_statistics_and_pictures_hold_finite_numbers(section: Section) -> None:
    statistics = section.items[1]
    assert isinstance(statistics, Table)
    for row in statistics.rows:
        assert np.isfinite([float(cell) for cell in row[4:]]).all()  # type: ignore[arg-type]
        assert 0.0 <= row[6] <= 1.0  # type: ignore[operator]
    plots = [item for item in section.items if isinstance(item, Plot)]
    assert len(plots) == 3 * len(INSTRUMENT_OF) + 2
    for plot in plots:
        assert [curve.name for curve in plot.curves] == ["real", "simulated"]
        for curve in plot.curves:
            assert np.isfinite([*curve.x, *curve.y, *curve.low, *curve.high]).all()


def test_signal_to_noise_can_be_read_off_its_axis(section: Section, found: list[Pair]) -> None:
    """The bin of a histogram that holds the median of the S/N stands at that S/N."""
    plots = {item.title: item for item in section.items if isinstance(item, Plot)}
    for pair in found:
        plot = plots[f"S/N, {pair.survey}"]
        assert plot.x_log
        for curve, side in zip(plot.curves, (pair.real, pair.simulated), strict=True):
            x, share = np.asarray(curve.x), np.cumsum(curve.n) / np.sum(curve.n)
            middle = max(0.3, float(np.nanmedian(side.features.snr)))
            assert np.log10(x[np.searchsorted(share, 0.5)] / middle) == pytest.approx(0.0, abs=np.log10(x[1] / x[0]))


def test_no_median_of_the_noise_power_leaves_its_frame(section: Section) -> None:
    plots = [item for item in section.items if isinstance(item, Plot) and item.title.startswith("Noise power")]
    assert plots
    for plot in plots:
        low, high = plot.y_range or (0.0, np.inf)
        for curve in plot.curves:
            assert low <= min(curve.y), plot.title
            assert max(curve.y) <= high, plot.title


def test_the_simulator_reports_the_noise_that_surveys_report(data_dir: Path, found: list[Pair]) -> None:
    """Median noise power over bands and surveys agrees within a tenth; single bands within 0.35 in ln.

    Of three simulated samples: the medians of one scatter by a tenth where a survey has a hundred spectra.
    """
    spectra, labels = real_spectra(data_dir / "spectra")
    more = [list(pairs(spectra, labels, seed=seed)) for seed in (1, 2)]
    for same in zip(found, *more, strict=True):
        real = np.nanmedian(same[0].real.features.groups["noise power"], axis=0)
        simulated = np.mean(
            [np.nanmedian(pair.simulated.features.groups["noise power"], axis=0) for pair in same], axis=0
        )
        assert abs(float(np.median(real[:-1] - simulated[:-1]))) < 0.1
        assert np.abs(real[:-1] - simulated[:-1]).max() < 0.35
