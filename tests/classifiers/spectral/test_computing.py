"""Preparation on the CPU and on the engines' device: the same verdicts, whoever prepares."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest

from classifiers.classifier import Verdicts
from classifiers.items import GridAxis, InlineAxis, Spectrum
from classifiers.runtimes.opening import RuntimeOptions
from classifiers.suite import MODELS, open_suites

FOLDERS = [MODELS / name for name in ("spectral-classifier", "spectral-anomaly", "qso-finder")]


def spectrum(seed: int, *, kind: str = "IVAR", medium: str = "VACUUM", n: int = 4600, snr: float = 10.0) -> Spectrum:
    """Return a made-up spectrum with a slope, a line, bad pixels and a survey's own axis."""
    rng = np.random.default_rng(seed)
    wavelength = 10 ** (3.56 + 1e-4 * np.arange(n))
    noiseless = (wavelength / 6000.0) ** rng.uniform(-2, 1) + np.exp(-0.5 * ((wavelength - 6563.0) / 4.0) ** 2)
    flux = (noiseless + rng.normal(0, 1 / snr, n)).astype(np.float32)
    sigma = np.full(n, 1 / snr, np.float32)
    flux[rng.integers(0, n, 5)] = np.nan
    quality = (rng.random(n) < 0.01).astype(np.int32)
    uncertainty = {"IVAR": sigma**-2, "VARIANCE": sigma**2, "SIGMA": sigma}[kind]
    axis = GridAxis("LOG10", 3.56, 1e-4, n) if seed % 2 else InlineAxis(wavelength, b"%d" % n)
    return Spectrum(
        axis,
        medium,
        flux,
        uncertainty,
        kind,
        "1e-17 erg/s/cm2/Angstrom",
        quality,
        0.0,
        2000.0,
        "DISPERSED",
        sky_fibre=False,
    )


@pytest.fixture(scope="module")
def spectra() -> list[Spectrum]:
    """Return spectra of several axes, kinds of uncertainty and lengths, and one that no grid reaches."""
    made = [spectrum(seed, kind=kind) for seed, kind in enumerate(["IVAR", "VARIANCE", "SIGMA"] * 7)]
    made += [spectrum(30 + seed, medium="AIR", n=3000 + 100 * seed) for seed in range(6)]
    nowhere = spectrum(99)
    nowhere.axis = GridAxis("LINEAR", 20_000.0, 1.0, nowhere.flux.size)
    return [*made, nowhere]


class Told(NamedTuple):
    """What the shipped bundles say, prepared on the CPU and on the engines' device."""

    host: Verdicts
    device: Verdicts


@pytest.fixture(scope="module")
def told(spectra: list[Spectrum]) -> Told:
    on = (RuntimeOptions("onnxruntime"), RuntimeOptions("torch", device="cpu"))
    return Told(*(open_suites(FOLDERS, options)["spectrum"].classify(spectra) for options in on))


@pytest.mark.slow
def test_spectra_prepared_on_the_device_get_the_verdicts_of_those_prepared_on_the_cpu(told: Told) -> None:
    """Flags, coverage and classes exactly; probabilities, redshifts and p-values to what fp32 allows."""
    host, device = told
    np.testing.assert_array_equal(device.quality_flags, host.quality_flags)
    np.testing.assert_array_equal(device.columns["coverage"], host.columns["coverage"])
    np.testing.assert_array_equal(device.top_class, host.top_class)
    np.testing.assert_allclose(device.class_probabilities, host.class_probabilities, atol=1e-3)
    np.testing.assert_allclose(device.columns["snr"], host.columns["snr"], rtol=1e-5)
    np.testing.assert_allclose(device.columns["redshift"], host.columns["redshift"], atol=1e-4)
    np.testing.assert_allclose(device.columns["anomaly_score"], host.columns["anomaly_score"], rtol=1e-3)
    assert list(device.unknown_reason) == list(host.unknown_reason)
    assert device.unknown_reason[-1] == "OUT_OF_DOMAIN"


@pytest.mark.slow
def test_what_prepares_is_told_as_part_of_the_engines(told: Told) -> None:
    """On a device there is one stage; on the CPU preparation has its own."""
    engines = "spectral-classifier+spectral-anomaly+qso-finder"
    assert list(told.host.stage_seconds) == ["preprocess", engines, "lines", "verdict"]
    assert list(told.device.stage_seconds) == [engines, "lines", "verdict"]
