"""Observing conditions of simulated alerts: seeing, depth, noise, subtraction and cutout size by kind of survey.

Ranges follow what the surveys document (pixel scale, seeing, cutout size) and statistics of real alerts that were
looked at: widths of stars, correlation of neighbouring pixels, crowding, masked pixels, ringing of the subtraction.
They are drawn wider than seen. No weight and no calibration was fitted to a real alert.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from classifiers.training.stamps.profiles import Floats

MIN_SIDE, FULL_SIDE = 24, 63


@dataclass(frozen=True, slots=True)
class Survey:
    """Ranges of one kind of survey; pairs are bounds of a uniform distribution, log-uniform where it says so.

    Attributes:
        share: of the simulated alerts.
        fwhm: median of the science image's seeing [pixel], lognormal.
        fwhm_scatter: sigma of its logarithm.
        template_width: template's seeing over the science image's.
        template_noise: template's sky noise over the science image's, log-uniform.
        science_blur, template_blur: sigma of the kernel that correlates the noise [pixel]; 0 = white.
        whitened: the difference's noise is decorrelated, hence not the science image's minus the template's.
        stars: expected number on a stamp, log-uniform.
        residual: median of what the subtraction leaves, as a fraction of a source's flux.
        ringing: chance that the matching kernel rings around bright sources.
        bad_pixels: fraction of hot or cold pixels, at most.
        holes: expected number of clumps of dead pixels that were averaged in and not masked, by dithered exposures.
        masked: chance of masked blocks.
        side: side of the cutouts [pixel].
    """

    share: float
    fwhm: float
    fwhm_scatter: float
    template_width: tuple[float, float]
    template_noise: tuple[float, float]
    science_blur: tuple[float, float]
    template_blur: tuple[float, float]
    whitened: bool
    stars: tuple[float, float]
    residual: float
    ringing: float
    bad_pixels: float
    holes: float
    masked: float
    side: tuple[int, int]


SURVEYS: dict[str, Survey] = {
    "ZTF": Survey(
        share=0.42, fwhm=2.3, fwhm_scatter=0.3, template_width=(0.6, 1.25), template_noise=(0.12, 0.7),
        science_blur=(0, 0.3), template_blur=(0, 0.6), whitened=False, stars=(0.5, 40), residual=0.015, ringing=0.2,
        bad_pixels=0.0003, holes=0, masked=0.06, side=(63, 63),
    ),
    "LSST": Survey(
        share=0.16, fwhm=4.3, fwhm_scatter=0.22, template_width=(0.8, 1.1), template_noise=(0.1, 0.6),
        science_blur=(0, 0.4), template_blur=(0, 0.6), whitened=False, stars=(0.3, 4), residual=0.012, ringing=0.1,
        bad_pixels=0.0003, holes=0, masked=0.03, side=(24, 50),
    ),
    "DECAM": Survey(
        share=0.08, fwhm=4.0, fwhm_scatter=0.22, template_width=(0.8, 1.2), template_noise=(0.15, 0.9),
        science_blur=(0, 0.6), template_blur=(0.2, 0.9), whitened=False, stars=(0.5, 15), residual=0.015,
        ringing=0.1, bad_pixels=0.0005, holes=0.1, masked=0.05, side=(63, 63),
    ),
    "WINTER": Survey(
        share=0.12, fwhm=3.2, fwhm_scatter=0.3, template_width=(0.7, 1.5), template_noise=(0.05, 0.5),
        science_blur=(0.2, 0.7), template_blur=(0.6, 1.6), whitened=True, stars=(0.5, 15), residual=0.06,
        ringing=0.6, bad_pixels=0.02, holes=0.1, masked=0.4, side=(63, 63),
    ),
    "PGIR": Survey(
        share=0.14, fwhm=5.2, fwhm_scatter=0.15, template_width=(0.85, 1.1), template_noise=(0.1, 0.7),
        science_blur=(1.2, 2.4), template_blur=(1.2, 2.4), whitened=True, stars=(15, 120), residual=0.03,
        ringing=0.9, bad_pixels=0.001, holes=1.5, masked=0.03, side=(61, 61),
    ),
    "ANY": Survey(
        share=0.08, fwhm=3.0, fwhm_scatter=0.5, template_width=(0.6, 1.5), template_noise=(0.05, 1.0),
        science_blur=(0, 2.0), template_blur=(0, 2.0), whitened=True, stars=(0.3, 60), residual=0.03, ringing=0.4,
        bad_pixels=0.01, holes=0.3, masked=0.1, side=(24, 63),
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Conditions:
    """Conditions of n alerts; every attribute is (n,), names and units as in ``Survey``.

    Attributes:
        survey: index into ``SURVEYS``, in order.
        flux_gain: photo-electrons a unit of flux, which sets photon noise; sky sigma is 1.
        saturation: peak at which the detector saturates [sky sigma].
    """

    survey: NDArray[np.int64]
    fwhm: Floats
    template_width: Floats
    template_noise: Floats
    science_blur: Floats
    template_blur: Floats
    whitened: NDArray[np.bool_]
    stars: Floats
    residual: Floats
    rings: NDArray[np.bool_]
    bad_pixels: Floats
    holes: NDArray[np.int64]
    masked: NDArray[np.bool_]
    side: NDArray[np.int64]
    flux_gain: Floats
    saturation: Floats


def draw_conditions(n: int, rng: np.random.Generator) -> Conditions:
    """Draw the conditions of n alerts."""
    surveys = list(SURVEYS.values())
    share = np.array([survey.share for survey in surveys])
    kind = rng.choice(len(surveys), n, p=share / share.sum())

    def of(name: str) -> NDArray[np.float64]:
        return np.array([getattr(survey, name) for survey in surveys], dtype=np.float64)[kind]

    def between(name: str) -> Floats:
        low, high = of(name).T
        value: Floats = (low + (high - low) * rng.random(n)).astype(np.float32)
        return value

    def log_between(name: str) -> Floats:
        low, high = np.log(of(name).T)
        drawn = rng.random(n)
        value: Floats = np.exp(low * (1 - drawn) + high * drawn).astype(np.float32)
        return value

    fwhm = of("fwhm") * np.exp(of("fwhm_scatter") * rng.normal(0, 1, n))
    return Conditions(
        survey=kind,
        fwhm=np.clip(fwhm, 1.3, 9.0).astype(np.float32),
        template_width=between("template_width"),
        template_noise=log_between("template_noise"),
        science_blur=between("science_blur"),
        template_blur=between("template_blur"),
        whitened=of("whitened") > 0,
        stars=log_between("stars"),
        residual=(of("residual") * np.exp(rng.normal(0, 0.9, n))).astype(np.float32),
        rings=rng.random(n) < of("ringing"),
        bad_pixels=(of("bad_pixels") * rng.random(n) ** 2).astype(np.float32),
        holes=rng.poisson(of("holes")),
        masked=rng.random(n) < of("masked"),
        side=np.rint(between("side")).astype(np.int64),
        flux_gain=np.exp(rng.uniform(np.log(3.0), np.log(60.0), n)).astype(np.float32),
        saturation=np.exp(rng.uniform(np.log(500.0), np.log(2e4), n)).astype(np.float32),
    )
