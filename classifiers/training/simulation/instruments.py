"""Instruments that the simulator imitates, as numbers; spectra on the native vacuum grid.

Noise shapes (``group``) come from the basis; they were derived from inverse variances of real spectra (SDSS, BOSS,
LAMOST, DESI) and from the exposure-time data of 4MOST. WEAVE, another sky-limited fibre spectrograph on a telescope of
4 m, has 4MOST's shape, its own coverage and its own gaps.

How the noise differs from what is reported (its size by wavelength, its correlation between neighbouring pixels), how
often pixels are masked, and what is left of the telluric bands were measured on the development spectra of SDSS, BOSS
and LAMOST, as medians over a survey: second differences of neighbouring pixels, never one object. That BOSS reports too
little noise in the blue is known (Lee et al. 2013, AJ 145, 69). LAMOST's relative calibration is good to about 10 %
(Luo et al. 2015, RAA 15, 1095); how its arms disagree where they meet is the scatter over its stars of the flux on
either side of the dichroic, against a line between 5350 and 6450 A, at each S/N. Differences over two to 24 pixels of
its first release's far red repeat every seven pixels or so, as fringes do, and its noise is 0.57 of what its errors say
below S/N 15 and 0.73 above 40 (neighbours, 3900-4500 A). What is not given for an instrument was not measured on it.

Resolution: stellar and quasar templates are SDSS's, and LAMOST's spectra are as sharp (templates that are convolved
with a Gaussian of another 0.07, -0.06 and 0.18 pixels squared, medians over 59 stars at 3950-4800, 4800-5700 and
6000-7500 A, fit them best, where its R of 1,800 would have 0.1 to 0.4). Emission lines, which are computed, are as wide
as each instrument makes them: the median line spread that SDSS's reductions state in 80 spectra, for BOSS and LAMOST,
too; resolving powers of DESI (DESI Collaboration 2022, AJ 164, 207), of 4MOST's exposure-time data, and of WEAVE.
Absorption lines of instruments that are finer than SDSS are as wide as SDSS's.

WEAVE at low resolution (MOS fibres, R about 5,000): arms of 3660-6060 A and 5790-9590 A, split by a dichroic at 5900 A,
each on two CCDs with a gap of 5491-5539 A and of 7590-7669 A (Isaac Newton Group, "Spectroscopy with WEAVE"; Jin et al.
2024, MNRAS 530, 2688). 4MOST at high resolution (R about 20,000): three windows, stars alone (de Jong et al. 2019, The
Messenger 175, 3); it is no part of the training mix, since the bundles do not serve it.
"""

from __future__ import annotations

from dataclasses import dataclass

_SLOAN_SPREAD = (
    (3900.0, 77.0), (4500.0, 64.0), (5500.0, 55.0), (5950.0, 55.0), (6200.0, 65.0), (7000.0, 57.0), (8000.0, 50.0),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Instrument:
    """What a spectrograph and its pipeline do to a spectrum.

    Attributes:
        name: upper-case name.
        group: noise shape in the basis.
        weight: share in a mixed draw.
        first_angstrom, last_angstrom: coverage where the group has no edge statistics.
        snr_range: median S/N per pixel, drawn log-uniformly.
        calibration: relative flux calibration error on scales of about 800 A.
        tilt: scatter of a power-law tilt over the whole range.
        arm_step: relative step at each of ``arms_angstrom``.
        arms_angstrom: where two arms meet.
        arm_step_faint: times 1 / S/N, what the step gains in quadrature: arms are joined by what both measure.
        overlap: scatter, in errors, of what is left in the red arm where the arms meet and both see little.
        noise_factor: range of true over reported noise, one draw a spectrum.
        correlation: weights of the 1st, 2nd ... pixel before, which resampling mixes into the noise of a pixel.
        red_correlation: the same in the far red, where pixels are finer than the detector's and fringes repeat every
            seventh or so; empty: as elsewhere.
        bright_noise: true over reported noise where the object's own photons dominate, beside ``noise_factor``.
        far_red_waves: scatter, in errors, of what sky subtraction leaves beyond 8200 A over some ten pixels.
        masked_share: largest share of pixels masked at random places where masks are made hard on purpose.
        masked_runs: mean number of masked runs otherwise.
        masked_length: mean length of these runs, pixels.
        noise_shape: (wavelength, factor) of true over reported noise, linear in between; empty where it is flat.
        telluric: scatter of the exponent of the transmission that correcting for the air leaves.
        telluric_masked: share of spectra whose A band is masked.
        sky_residual: share of spectra with strong residuals of sky lines.
        photon_snr: median S/N at which the object's own photons are half of the variance.
        cosmic_rays: mean number that the pipeline left in a spectrum.
        line_spread: (wavelength, standard deviation in km/s) of a line without a width, native pixels included.
        gaps_angstrom: (first, last) of what no detector of the instrument sees, vacuum.
    """

    name: str
    group: str
    weight: float
    first_angstrom: float
    last_angstrom: float
    snr_range: tuple[float, float]
    calibration: float
    tilt: float
    arm_step: float
    arms_angstrom: tuple[float, ...]
    noise_factor: tuple[float, float]
    correlation: tuple[float, ...]
    masked_share: float
    masked_runs: float = 2.0
    masked_length: float = 2.0
    noise_shape: tuple[tuple[float, float], ...] = ()
    telluric: float = 0.12
    telluric_masked: float = 0.0
    sky_residual: float = 0.35
    photon_snr: float = 20.0
    cosmic_rays: float = 1.2
    gaps_angstrom: tuple[tuple[float, float], ...] = ()
    arm_step_faint: float = 0.0
    overlap: float = 0.0
    red_correlation: tuple[float, ...] = ()
    far_red_waves: float = 0.0
    bright_noise: float = 1.0
    line_spread: tuple[tuple[float, float], ...] = _SLOAN_SPREAD


# Of instruments that resolve more than native pixels do: their resolving power, with 20 km/s of a pixel in quadrature.
_DESI_SPREAD = ((3600.0, 67.0), (5800.0, 45.0), (7600.0, 37.0), (9800.0, 31.0))
_FOURMOST_SPREAD = ((3700.0, 39.0), (4570.0, 33.0), (5400.0, 30.0), (7000.0, 28.0), (8200.0, 28.0), (9500.0, 26.0))
_WEAVE_SPREAD = ((3660.0, 32.0), (9590.0, 32.0))
_HRS_SPREAD = ((3926.0, 21.0), (6792.0, 21.0))
_WEAVE_GAPS = ((5491, 5539), (7590, 7669))
_HRS_GAPS = ((4357, 5161), (5732, 6101))
_SDSS_NOISE = ((3700, 1.08), (4300, 1.0), (7000, 0.97), (8500, 1.04))
_BOSS_NOISE = ((3700, 1.2), (4050, 1.2), (4400, 1.08), (5000, 1.01), (5500, 0.98))
_LAMOST_NOISE = (
    (4000, 0.95), (4600, 0.95), (5500, 0.92), (6200, 1.0), (7170, 1.0), (7230, 1.5), (7600, 1.46), (8200, 1.42),
)  # fmt: skip
_LATER_LAMOST_NOISE = ((7000, 1.0), (7700, 0.88))
INSTRUMENTS = (
    Instrument(
        "SDSS", "sdss", 0.24, 3800, 9220, (1.0, 70.0), 0.03, 0.0, 0.02, (5950,), (0.75, 0.95), (0.17,), 0.02,
        masked_runs=0.4, masked_length=4.0, noise_shape=_SDSS_NOISE, telluric=0.05, cosmic_rays=0.2,
    ),
    Instrument(
        "BOSS", "boss", 0.26, 3580, 10380, (0.7, 60.0), 0.06, 0.05, 0.02, (6100,), (0.86, 1.0), (0.33, -0.13, 0.05),
        0.02, masked_runs=4.5, masked_length=1.4, noise_shape=_BOSS_NOISE, telluric=0.05,
    ),
    Instrument(
        "LAMOST", "lamost", 0.18, 3720, 9070, (1.0, 120.0), 0.05, 0.08, 0.03, (5900,), (0.56, 0.86), (0.4, 0.22, 0.12),
        0.09, masked_runs=21.0, masked_length=5.0, noise_shape=_LAMOST_NOISE, telluric=0.02, telluric_masked=1.0,
        sky_residual=0.8, photon_snr=40.0, cosmic_rays=0.15, arm_step_faint=0.3, overlap=0.3,
        red_correlation=(0.8, 0.3, -0.2, -0.3, 0.0, 0.2, 0.1), far_red_waves=1.6, bright_noise=1.5,
    ),
    Instrument(
        "LAMOST_BRIGHT", "lamost2", 0.12, 3700, 9100, (1.0, 180.0), 0.05, 0.08, 0.03, (5900,), (0.6, 1.05), (0.25, 0.1),
        0.03, masked_runs=0.6, masked_length=6.0, noise_shape=_LATER_LAMOST_NOISE, telluric=0.02, photon_snr=100.0,
        arm_step_faint=0.6, overlap=0.8,
    ),
    Instrument(
        "DESI", "desi", 0.10, 3600, 9824, (0.7, 50.0), 0.03, 0.03, 0.01, (5780, 7550), (0.95, 1.1), (0.15,), 0.02,
        line_spread=_DESI_SPREAD,
    ),
    Instrument(
        "4MOST_LRS", "4most", 0.10, 3705, 9500, (0.7, 60.0), 0.05, 0.05, 0.02, (5390, 7050), (0.95, 1.1), (0.15,), 0.02,
        line_spread=_FOURMOST_SPREAD,
    ),
    Instrument(
        "WEAVE", "4most", 0.08, 3660, 9590, (0.7, 60.0), 0.05, 0.05, 0.02, (5900,), (0.95, 1.1), (0.15,), 0.02,
        gaps_angstrom=_WEAVE_GAPS, line_spread=_WEAVE_SPREAD,
    ),
    Instrument(
        "4MOST_HRS", "4most", 0.0, 3926, 6792, (10.0, 200.0), 0.05, 0.05, 0.02, (4760, 5917), (0.95, 1.1), (0.15,),
        0.02, gaps_angstrom=_HRS_GAPS, line_spread=_HRS_SPREAD,
    ),
)  # fmt: skip
BY_NAME = {instrument.name: instrument for instrument in INSTRUMENTS}
NAMES = tuple(BY_NAME)
