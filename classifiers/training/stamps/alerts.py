"""Simulated alerts as ``l1_image_alert`` records, for the demo, the benches and the load generator. Numpy alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from classifiers.training.stamps.conditions import FULL_SIDE
from classifiers.training.stamps.simulate import CHUNK, SimulatedStamps, simulate_stamps

_ROLES = ("SCIENCE", "TEMPLATE", "DIFFERENCE")
SKY_SIGMA_NJY = 100.0
"""Noise of a simulated science pixel [nJy]."""
AB_ZERO_POINT_NJY = 31.4
"""AB magnitude of 1 nJy [mag]."""
PIXEL_SCALE_ARCSEC = 1.0


def simulate_alerts(n: int, rng: np.random.Generator, *, mjd: float = 61000.0) -> Iterator[dict[str, Any]]:
    """Yield n simulated alerts as ``l1_image_alert`` records.

    Args:
        n: number of alerts.
        rng: source of all randomness, identifiers included.
        mjd: time of the first exposure, UTC [d]; the alerts follow every 0.04 s.

    Yields:
        Records whose arrays are flat float32 (height x width, row-major); pixels beyond an edge are NaN.
    """
    night = int(rng.integers(0, 2**40))
    for start in range(0, n, CHUNK):
        batch = simulate_stamps(min(CHUNK, n - start), rng)
        ra_deg = rng.uniform(0, 360, len(batch.images))
        dec_deg = np.degrees(np.arcsin(rng.uniform(-1, 1, len(batch.images))))
        for row in range(len(batch.images)):
            number = start + row
            yield {
                "l1_id": f"SIM-{night:x}-{number:08d}",
                "survey": "SIMULATED",
                "instrument": "SIMULATED",
                "object_id": f"SIM J{ra_deg[row]:09.5f}{dec_deg[row]:+09.5f}",
                "ra_deg": float(ra_deg[row]),
                "dec_deg": float(dec_deg[row]),
                "mjd": mjd + number * 0.04 / 86400,
                "band": "r",
                "magnitude": _magnitude(float(batch.flux[row])),
                "magnitude_error": None,
                "is_positive": bool(batch.is_positive[row]),
                "real_bogus": None,
                "pixel_scale_arcsec": PIXEL_SCALE_ARCSEC,
                "stamps": _stamps(batch, row),
            }


def _magnitude(flux_sigma: float) -> float | None:
    """Return the AB magnitude of a flux in sky sigmas of either sign (Oke & Gunn 1983, ApJ 266, 713); None for none."""
    if flux_sigma == 0:
        return None
    return float(AB_ZERO_POINT_NJY - 2.5 * np.log10(abs(flux_sigma) * SKY_SIGMA_NJY))


def _stamps(batch: SimulatedStamps, row: int) -> list[dict[str, Any]]:
    stamps = []
    for role, image in zip(_ROLES, batch.images[row], strict=True):
        if not np.isfinite(image).any():
            continue  # the survey sent no such cutout
        stamps.append(
            {
                "role": role,
                "height": FULL_SIDE,
                "width": FULL_SIDE,
                "unit": "nJy",
                "image": (image * np.float32(SKY_SIGMA_NJY)).ravel(),
                "variance": None,
                "psf": None,
                "psf_size": 0,
            }
        )
    return stamps
