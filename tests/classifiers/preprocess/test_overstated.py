"""Errors that step up by three at eleven lines are put right, and no others are touched."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifiers.items import GridAxis, InlineAxis, Spectrum
from classifiers.preprocess.air_vacuum import air_to_vacuum
from classifiers.preprocess.overstated import LINES_ANGSTROM, OVERSTATED, with_measured_errors
from classifiers.training.simulation.grid import LOG10_START, LOG10_STEP, PIXELS, native_wavelength
from schemas.codec import Codec
from stream.decode.message import MessageDecoder
from stream.decoded import Accepted
from stream.fits.reading import read_fits
from stream.transports.contract import Message, TopicPartition

NATIVE = GridAxis("LOG10", LOG10_START, LOG10_STEP, PIXELS)
KINDS = {"SIGMA": 1.0, "VARIANCE": 2.0, "IVAR": -2.0}


def near(wavelength: np.ndarray, lines: tuple[float, ...], reach: float = 10.0) -> np.ndarray:
    return (np.abs(wavelength[:, None] - np.array(lines)) <= reach).any(axis=1)


def spectrum(sigma: np.ndarray, kind: str = "IVAR", **others: object) -> Spectrum:
    """Return a spectrum with errors (n,) of one sigma, stated as ``kind``."""
    stated = (sigma.astype(np.float64) ** KINDS[kind]).astype(np.float32)
    given_fields = {"axis": NATIVE, "medium": "VACUUM", "velocity_correction_km_s": 0.0, **others}
    return Spectrum(
        flux=np.ones(sigma.size, np.float32),
        uncertainty=stated,
        uncertainty_kind=kind,
        flux_unit="",
        quality=None,
        resolving_power=None,
        sampling="DISPERSED",
        sky_fibre=False,
        **given_fields,
    )


def overstated(true: np.ndarray, wavelength: np.ndarray, lines: tuple[float, ...] = LINES_ANGSTROM) -> np.ndarray:
    return np.where(near(wavelength, lines), OVERSTATED * true, true)


@pytest.mark.parametrize("kind", KINDS)
def test_errors_come_back_as_they_were(kind: str) -> None:
    wavelength = native_wavelength()
    true = np.interp(wavelength, [3600, 5000, 9000], [2.0, 0.5, 1.5]) * 1e-17
    true *= np.random.default_rng(1).uniform(0.9, 1.1, PIXELS)
    unknown = slice(2100, 2130)
    given_spectrum = spectrum(overstated(true, wavelength), kind)
    if kind == "IVAR":
        given_spectrum.uncertainty[unknown] = 0.0
    stated = given_spectrum.uncertainty.copy()
    measured = with_measured_errors(given_spectrum)
    expected = spectrum(true, kind).uncertainty
    if kind == "IVAR":
        expected[unknown] = 0.0
    assert np.allclose(measured.uncertainty, expected, rtol=1e-5, atol=0)
    changed = measured.uncertainty != stated
    assert np.array_equal(changed, near(wavelength, LINES_ANGSTROM) & (expected > 0))
    assert np.array_equal(given_spectrum.uncertainty, stated), "what came in is never written to"


def test_wavelengths_in_air_or_not_yet_barycentric_are_found_too() -> None:
    """Both move lines by more than a pixel; windows follow them."""
    vacuum = native_wavelength()
    air = vacuum - (air_to_vacuum(vacuum) - vacuum)
    for axis, medium, km_s in ((InlineAxis(air, b"air"), "AIR", 0.0), (NATIVE, "VACUUM", -30.0)):
        seen = air_to_vacuum(air) if medium == "AIR" else vacuum * (1 + km_s / 299_792.458)
        stated = overstated(np.ones(PIXELS), seen)
        found = with_measured_errors(spectrum(stated, axis=axis, medium=medium, velocity_correction_km_s=km_s))
        assert np.allclose(found.uncertainty, 1.0)


def test_other_spectra_are_returned_as_they_are() -> None:
    wavelength, true = native_wavelength(), np.ones(PIXELS)
    few = overstated(true, wavelength, LINES_ANGSTROM[:8])  # three lines without a step: this is something else
    at_other_places = overstated(true, wavelength, tuple(line + 60.0 for line in LINES_ANGSTROM))
    smaller = np.where(near(wavelength, LINES_ANGSTROM), true / OVERSTATED, true)
    for sigma in (true, few, at_other_places, smaller, np.full(PIXELS, np.nan), np.zeros(PIXELS)):
        with np.errstate(divide="ignore"):
            item = spectrum(sigma)
        assert with_measured_errors(item) is item
    short = spectrum(np.ones(1), axis=InlineAxis(np.array([5000.0]), b"one"))
    assert with_measured_errors(short) is short


@pytest.mark.parametrize("kind", KINDS)
def test_a_line_of_which_nothing_beside_is_known_stays_as_it_is(kind: str) -> None:
    """What its errors are against is not known; the others tell that they are overstated."""
    wavelength, line = native_wavelength(), LINES_ANGSTROM[0]
    stated = overstated(np.ones(PIXELS), wavelength)
    stated[near(wavelength, (line,), 40.0) & ~near(wavelength, (line,), 11.0)] = np.inf
    given_spectrum = spectrum(stated, kind)
    found = with_measured_errors(given_spectrum).uncertainty
    here, elsewhere = near(wavelength, (line,), 9.0), near(wavelength, LINES_ANGSTROM[1:], 9.0)
    assert np.array_equal(found[here], given_spectrum.uncertainty[here])
    assert np.allclose(found[elsewhere], 1.0)


@given(seed=st.integers(0, 2**32 - 1), scatter=st.floats(0.0, 0.6))
def test_errors_that_scatter_are_left_alone(seed: int, scatter: float) -> None:
    sigma = np.exp(scatter * np.random.default_rng(seed).standard_normal(PIXELS))
    item = spectrum(sigma)
    assert with_measured_errors(item) is item


def test_lamosts_first_release_has_such_errors_and_no_other_spectra_do(data_dir: Path) -> None:
    with (data_dir / "spectra" / "real_labels.csv").open(newline="", encoding="utf-8") as lines:
        survey = np.array([row["survey"] for row in csv.DictReader(lines)])
    with np.load(data_dir / "spectra" / "real_spectra.npz", allow_pickle=False) as stored:
        weight = stored["ivar"].astype(np.float32)
    blank = spectrum(np.ones(PIXELS))
    items = [replace(blank, uncertainty=row) for row in weight]
    measured = [with_measured_errors(item) for item in items]
    changed = np.array([new is not old for new, old in zip(measured, items, strict=True)])
    assert set(survey[changed]) == {"LAMOST-DR1"}
    assert not np.any(survey[~changed] == "LAMOST-DR1")
    wavelength = native_wavelength()
    for new in np.array(measured)[changed][:20]:
        for line in (4862.0, 5176.0, 6563.5):
            inside, beside = near(wavelength, (line,), 8.0), near(wavelength, (line - 17.0, line + 17.0), 4.0)
            known = new.uncertainty > 0
            ratio = np.median(new.uncertainty[inside & known]) / np.median(new.uncertainty[beside & known])
            assert 0.7 < ratio < 1.3


def test_a_published_file_is_put_right_when_it_is_decoded(data_dir: Path, codec: Codec) -> None:
    (record,) = read_fits(data_dir / "fits" / "lamost-dr1-spec-55862-B6212_sp06-003.fits")
    message = Message(TopicPartition("l1", 0), 0, 1, None, codec.encode("l1_spectrum", record), (), 5)
    decoded = MessageDecoder(codec).decode(message)
    assert isinstance(decoded, Accepted)
    assert isinstance(decoded.item, Spectrum)
    stated = np.asarray(record["uncertainty"], np.float32)
    raised = decoded.item.uncertainty[stated > 0] / stated[stated > 0]
    assert set(np.round(raised, 3)) == {1.0, OVERSTATED**2}
    assert 100 < np.count_nonzero(raised > 2) < 200
