"""A picture of a spectrum shows what it should where it should, read from matplotlib's own artists."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from classifiers.items import InlineAxis, Spectrum, quality_of
from classifiers.quality import Quality
from ops.contributions import AnomalyDetector
from ops.plots.expected_lines import observed_lines
from ops.plots.night import draw_night
from ops.plots.spectrum import ALARM, BESIDE, LINE, Contributions, draw_spectrum, verdict_line
from stream.settings import load_settings

pytestmark = pytest.mark.slow  # matplotlib takes seconds to import

N = 800
WAVELENGTH = np.linspace(4000.0, 8000.0, N)


def spectrum(flux: np.ndarray[Any, Any], good: np.ndarray[Any, Any] | None = None) -> Spectrum:
    """Return a spectrum in vacuum with an error of 0.1."""
    return Spectrum(
        axis=InlineAxis(WAVELENGTH, b"test"),
        medium="VACUUM",
        flux=flux.astype(np.float32),
        uncertainty=np.full(N, 0.1, np.float32),
        uncertainty_kind="SIGMA",
        flux_unit="1e-17 erg/s/cm2/Angstrom",
        quality=None if good is None else quality_of(good),
        velocity_correction_km_s=0.0,
        resolving_power=None,
        sampling="DISPERSED",
        sky_fibre=False,
    )


def verdict(**changes: Any) -> dict[str, Any]:
    """Return the part of an L2 record that pictures read."""
    return {
        "l1_id": "a",
        "top_class": "QSO_nan",
        "class_probabilities": {"QSO_nan": 0.9, "STAR_A0": 0.1},
        "redshift": 2.0,
        "redshift_error": 0.001,
        "zwarn": 0,
        "snr": 10.0,
        "unknown": False,
        "unknown_reason": None,
        "other_type": None,
        "p_other": 0.02,
        "anomaly_p_value": 0.5,
        "anomaly_score": 1.2,
        "anomaly_wavelength_angstrom": 5000.0,
        "map_x": 0.1,
        "map_y": 0.2,
    } | changes


def vertical_lines(axes: Any) -> list[float]:
    """Return where dotted lines over the whole height stand."""
    return [float(line.get_xdata()[0]) for line in axes.lines if line.get_linestyle() == ":"]


def test_lines_stand_at_the_redshifted_vacuum_wavelengths() -> None:
    """C IV of a quasar at z = 2 is at 4647 A; names stand above the frame; what is outside is not drawn."""
    axes = draw_spectrum(spectrum(np.ones(N)), verdict(), "name").axes[0]
    expected = {name: at for name, at in observed_lines(verdict()) if 4000 < at < 8000}
    assert expected["C IV"] == pytest.approx(1549.06 * 3)
    assert sorted(vertical_lines(axes)) == pytest.approx(sorted(expected.values()))
    texts = {text.get_text(): text.xy[0] for text in axes.texts if not text.get_text().startswith("largest")}
    assert texts == pytest.approx(expected)


def test_a_star_is_shifted_by_its_radial_velocity() -> None:
    """300 km/s move H alpha by 6.6 A."""
    star = verdict(top_class="STAR_A0", redshift=None, radial_velocity_km_s=300.0)
    assert dict(observed_lines(star))["Hα"] == pytest.approx(6564.61 * (1 + 300.0 / 299792.458))
    assert observed_lines(verdict(top_class=None)) == []


def test_masked_pixels_are_not_drawn_and_do_not_set_the_scale() -> None:
    """A saturated masked pixel leaves a hole."""
    flux, good = np.ones(N), np.ones(N, bool)
    flux[300:310], good[300:310] = 1e6, False
    flux[400] = np.nan
    axes = draw_spectrum(spectrum(flux, good), verdict(), "name").axes[0]
    drawn = axes.lines[0].get_ydata()
    assert np.isnan(drawn[300:310]).all()
    assert np.isnan(drawn[400])
    assert np.isfinite(drawn).sum() == N - 11
    assert axes.get_ylim()[1] < 3


def test_the_anomaly_is_pointed_at_in_red_only_where_it_is_rare() -> None:
    """The mark stands at its wavelength and says its p-value."""
    for p_value, colour in ((0.5, LINE), (0.001, ALARM)):
        axes = draw_spectrum(spectrum(np.ones(N)), verdict(anomaly_p_value=p_value), "name").axes[0]
        (mark,) = [line for line in axes.lines if line.get_marker() == "^"]
        assert mark.get_xdata() == [5000.0]
        assert mark.get_color() == colour
    absent = verdict(anomaly_wavelength_angstrom=None, anomaly_p_value=None)
    axes = draw_spectrum(spectrum(np.ones(N)), absent, "name").axes[0]
    assert not [line for line in axes.lines if line.get_marker() == "^"]


def test_the_verdict_is_in_the_title_and_the_bars() -> None:
    """Class, probability, redshift and the reason of an unknown."""
    figure = draw_spectrum(spectrum(np.ones(N)), verdict(unknown=True, unknown_reason="NOVEL", zwarn=4), "name")
    title = figure.axes[0].get_title(loc="left")
    assert title.startswith("name\nQSO_nan")
    assert "P = 0.90" in title
    assert "zwarn 4" in title
    assert "unknown: NOVEL" in title
    bars = figure.axes[1]
    assert [tick.get_text() for tick in bars.get_yticklabels()] == ["QSO_nan", "STAR_A0", "other"]
    assert [bar.get_width() for bar in bars.patches] == [0.9, 0.1, 0.02]


def test_what_else_an_object_has_is_in_the_title() -> None:
    """A second redshift with its value, broad absorption in words; nothing of what is of a known other type."""
    second = [{"class_name": "GALAXY_nan", "redshift": 0.31234, "probability": 0.1}]
    flags = int(Quality.SECOND_REDSHIFT | Quality.BROAD_ABSORPTION)
    line = verdict_line(verdict(quality_flags=flags, redshift_alternatives=second))
    assert line.endswith("second z = 0.3123   broad absorption")
    other = verdict(quality_flags=flags, unknown=True, unknown_reason="OTHER_KNOWN", other_type="CARBON")
    assert verdict_line(other).endswith("unknown: OTHER_KNOWN (CARBON)")


@pytest.mark.slow
def test_a_spectrum_without_any_verdict_or_signal_is_drawn() -> None:
    """Empty probabilities and a wholly masked spectrum give a picture, not an error."""
    empty = verdict(
        top_class=None, class_probabilities={}, redshift=None, redshift_error=None, snr=None, p_other=None,
        anomaly_wavelength_angstrom=None,
    )  # fmt: skip
    figure = draw_spectrum(spectrum(np.ones(N), np.zeros(N, bool)), empty, "name " * 60)
    figure.canvas.draw()
    assert figure.axes[0].get_title(loc="left").count("\n") >= 3


@pytest.mark.slow
def test_a_night_counts_classes_and_unknowns() -> None:
    """The bars of a night are the numbers of its verdicts, reasons apart; empty nights are drawn too."""
    records = [verdict(l1_id=str(n)) for n in range(3)] + [verdict(l1_id="x", unknown=True, unknown_reason="NOVEL")]
    figure = draw_night(records, {"0": 2.0}, "four")
    assert [patch.get_width() for patch in figure.axes[0].patches] == [3, 1]
    points = figure.axes[1].collections[1].get_offsets()
    np.testing.assert_allclose(points, [[3.0, 3.0]])
    figure.canvas.draw()
    nothing = verdict(snr=None, anomaly_score=None, map_x=None, map_y=None, top_class=None)
    draw_night([nothing], {}, "one").canvas.draw()


def test_what_each_bin_adds_to_the_anomaly_stands_below_the_flux_at_its_wavelength() -> None:
    """On the wavelengths of the flux; bins that were not seen add nothing."""
    chi2 = np.full(100, 1.0)
    chi2[40], chi2[60] = 30.0, np.nan
    bins = np.linspace(3500.0, 9000.0, 100)
    figure = draw_spectrum(spectrum(np.ones(N)), verdict(), "a", Contributions(bins, chi2))
    flux, below = (next(each for each in figure.axes if word in each.get_ylabel()) for word in ("flux", "anomaly"))
    assert below.get_position().y1 <= flux.get_position().y0
    assert below.get_xlim() == flux.get_xlim() == (WAVELENGTH[0], WAVELENGTH[-1])
    assert below.get_xlabel().startswith("vacuum wavelength")
    (filled,) = below.collections
    (path,) = filled.get_paths()
    highest = path.vertices[path.vertices[:, 1] == 30.0, 0]
    assert abs(highest.mean() - bins[40]) < 1.0
    assert np.isfinite(path.vertices).all()
    assert below.get_ylim() == (0, 30.0)


def test_the_configured_detector_finds_a_line_that_nobody_expects() -> None:
    """Its contributions are largest there, and the record names the same place."""
    detector = AnomalyDetector.configured(load_settings(None))
    assert detector is not None
    # Twice the continuum: what a bin can add is bounded, and a weaker line shares the largest with the blue end.
    flux = 10.0 + 20.0 * np.exp(-0.5 * ((WAVELENGTH - 6000.0) / 8.0) ** 2)
    found = detector.contributions(spectrum(flux + np.random.default_rng(1).normal(0, 0.1, N)))
    assert found is not None
    assert abs(found.wavelength_angstrom[np.nanargmax(found.chi2)] - 6000.0) < 30.0
    assert np.isnan(found.chi2[found.wavelength_angstrom < 3950.0]).all()
    nothing = replace(spectrum(flux), quality=np.ones(N, np.int32))
    assert detector.contributions(nothing) is None


def test_nothing_is_drawn_across_a_gap_without_pixels_nor_marked_in_it() -> None:
    """Two windows: every curve is broken between them, and the line that falls between is not named."""
    windows = np.concatenate([np.linspace(4000.0, 4600.0, N // 2), np.linspace(5000.0, 8000.0, N // 2)])
    item = replace(spectrum(np.ones(N)), axis=InlineAxis(windows, b"windows"))
    axes = draw_spectrum(item, verdict(), "name").axes[0]
    for curve in axes.lines[:3]:
        x, y = curve.get_xdata(), curve.get_ydata()
        joined = np.isfinite(y[:-1]) & np.isfinite(y[1:])
        assert np.diff(x)[joined].max() < 10.0, curve.get_label()
        assert np.isfinite(y).sum() == N
    assert [text.get_text() for text in axes.texts if not text.get_text().startswith("largest")] == ["Si IV", "C III]"]


def test_the_title_has_the_velocity_of_a_star_and_the_p_value_of_the_flag() -> None:
    """The detector's own p-value has its own name."""
    star = verdict(
        top_class="STAR_A0", redshift=None, radial_velocity_km_s=-101.07, radial_velocity_error_km_s=8.65,
        unknown_p_value=0.03, anomaly_p_value=0.5, snr=-0.01,
    )  # fmt: skip
    axes = draw_spectrum(spectrum(np.ones(N)), star, "name").axes[0]
    title = axes.get_title(loc="left")
    assert "v = -101.1 ± 8.7 km/s" in title or "v = -101.1 ± 8.6 km/s" in title
    assert title.endswith("S/N 0.0   p = 0.03")
    (told,) = [text.get_text() for text in axes.texts if text.get_text().startswith("largest")]
    assert told.endswith("(p(VAE) = 0.5)")


def test_the_legend_covers_no_data_and_the_other_types_stand_apart_from_the_classes() -> None:
    """The legend is above the bars; P(other) is beside probabilities that sum to 1, and is said to be."""
    figure = draw_spectrum(spectrum(np.ones(N)), verdict(), "name")
    flux, bars = figure.axes
    figure.canvas.draw()
    assert flux.get_legend() is None
    legend = bars.get_legend()
    assert [text.get_text() for text in legend.get_texts()] == ["flux", "1σ error", "smoothed"]
    extent = legend.get_window_extent()
    assert not any(extent.overlaps(axes.get_window_extent()) for axes in (flux, bars))
    places = [bar.get_y() + bar.get_height() / 2 for bar in bars.patches]
    assert places == pytest.approx([1.0, 0.0, -2.0])
    assert [text.get_text() for text in bars.texts] == [BESIDE]
