"""Instruments that the simulator imitates, as numbers; spectra on the native vacuum grid.

Noise shapes (``group``) come from the basis; they were derived from inverse variances of real spectra (SDSS, BOSS,
LAMOST, DESI) and from the exposure-time data of 4MOST. WEAVE, another sky-limited fibre spectrograph on a telescope of
4 m, has 4MOST's shape, its own coverage and its own gaps.

WEAVE at low resolution (MOS fibres, R about 5,000): arms of 3660-6060 A and 5790-9590 A, split by a dichroic at 5900 A,
each on two CCDs with a gap of 5491-5539 A and of 7590-7669 A (Isaac Newton Group, "Spectroscopy with WEAVE"; Jin et al.
2024, MNRAS 530, 2688). 4MOST at high resolution (R about 20,000): three windows, stars alone (de Jong et al. 2019, The
Messenger 175, 3); it is no part of the training mix, since the bundles do not serve it.
"""

from __future__ import annotations

from dataclasses import dataclass


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
        arm_step: relative step at ``arm_angstrom``.
        arm_angstrom: where the arms meet.
        noise_factor: range of true over reported noise.
        correlation: of the noise of neighbouring pixels.
        masked_share: largest share of pixels masked at random places.
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
    arm_angstrom: float
    noise_factor: tuple[float, float]
    correlation: float
    masked_share: float
    gaps_angstrom: tuple[tuple[float, float], ...] = ()


_WEAVE_GAPS = ((5491, 5539), (7590, 7669))
_HRS_GAPS = ((4357, 5161), (5732, 6101))
INSTRUMENTS = (
    Instrument("SDSS", "sdss", 0.24, 3800, 9220, (1.0, 70.0), 0.03, 0.0, 0.02, 5950, (0.85, 1.05), 0.12, 0.02),
    Instrument("BOSS", "boss", 0.26, 3580, 10380, (0.7, 60.0), 0.06, 0.05, 0.02, 6100, (0.85, 1.08), 0.12, 0.02),
    Instrument("LAMOST", "lamost", 0.18, 3720, 9070, (2.0, 120.0), 0.08, 0.25, 0.05, 5900, (0.9, 1.4), 0.25, 0.09),
    Instrument(
        "LAMOST_BRIGHT", "lamost2", 0.12, 3700, 9100, (2.0, 180.0), 0.10, 0.3, 0.05, 5900, (0.9, 1.9), 0.2, 0.03
    ),
    Instrument("DESI", "desi", 0.10, 3600, 9824, (0.7, 50.0), 0.03, 0.03, 0.01, 5780, (0.95, 1.1), 0.15, 0.02),
    Instrument("4MOST_LRS", "4most", 0.10, 3705, 9500, (0.7, 60.0), 0.05, 0.05, 0.02, 5300, (0.95, 1.1), 0.15, 0.02),
    Instrument(
        "WEAVE", "4most", 0.08, 3660, 9590, (0.7, 60.0), 0.05, 0.05, 0.02, 5900, (0.95, 1.1), 0.15, 0.02, _WEAVE_GAPS
    ),
    Instrument(
        "4MOST_HRS", "4most", 0.0, 3926, 6792, (10.0, 200.0), 0.05, 0.05, 0.02, 5160, (0.95, 1.1), 0.15, 0.02, _HRS_GAPS
    ),
)
BY_NAME = {instrument.name: instrument for instrument in INSTRUMENTS}
NAMES = tuple(BY_NAME)
