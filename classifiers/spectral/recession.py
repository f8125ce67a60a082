"""What looks like a star and recedes faster than stars do is more likely a galaxy next door.

Nearby galaxies of young stars, without lines or with weak ones, have spectra of stars, and redshifts of a few
thousandths. A network that sees some hundred bins at a time does not weigh that no star recedes at 1,000 km/s;
velocities on templates are good to some 10 km/s and do.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from classifiers.lines.table import C_KM_S
from classifiers.verdict.measured import Measured

Floats = NDArray[np.float64]

STARS_KM_S: Final = ((0.9, 80.0), (0.1, 250.0))
"""Shares and standard deviations of radial velocities of stars, as they are simulated."""
UNBOUND: Final = 1e-5
"""Share of stars that are faster than any of these: a generous one, as some dozens are known among millions (Brown
2015, ARA&A 53, 15)."""
WRONG, WRONG_SNR, MOST_WRONG = 0.0014, 8.0, 0.012
"""Share of measured velocities that are of other lines than they seem, at one S/N; it falls as the cube of that, from
the largest share on. Of 33,469 simulated stars 0.011 were off by more than 400 km/s at S/N 2 to 3, 0.009 at 3 to 4,
0.004 at 4 to 6, 0.0014 at 6 to 10, 0.0002 at 10 to 20 and none above."""
FASTEST_KM_S: Final = 1500.0
"""Both may have any velocity up to that, either way."""
GALAXIES_PER_KM_S: Final = 3e-6
"""Share of galaxies in each km/s of redshift: 0.0028 of simulated ones are at 900 to 1,800 km/s."""


def stars_likelihood(velocity_km_s: Floats, error_km_s: Floats, snr: Floats) -> Floats:
    """Return how much less likely these velocities are of a star than of a galaxy: (n,) in (0, 1].

    1 where stars may well have it, where nothing is measured, and for what comes nearer.

    Args:
        velocity_km_s: (n,) measured, barycentric; NaN where it is not.
        error_km_s: (n,) its errors.
        snr: (n,) median S/N.
    """
    wrong = np.minimum(MOST_WRONG, WRONG * (WRONG_SNR / np.fmax(snr, 1.0)) ** 3)
    of_stars = (UNBOUND + wrong) / (2.0 * FASTEST_KM_S)
    for share, spread in STARS_KM_S:
        total = np.hypot(spread, error_km_s)
        of_stars += share * np.exp(-0.5 * (velocity_km_s / total) ** 2) / (np.sqrt(2.0 * np.pi) * total)
    receding = (velocity_km_s > 0) & np.isfinite(error_km_s)
    return np.where(receding, np.minimum(1.0, of_stars / GALAXIES_PER_KM_S), 1.0)


def write_recession(result: Measured, rows: NDArray[np.int64]) -> None:
    """Take some rows for galaxies: their velocities on templates are redshifts, and they have no type of star."""
    result.share[rows] = np.nan
    result.redshift[rows] = result.radial_velocity_km_s[rows] / C_KM_S
    result.redshift_error[rows] = result.radial_velocity_error_km_s[rows] / C_KM_S
