"""Mock sources as records with the fields of ``l1_spectrum`` and sampling NARROWBAND, truth apart.

A band that was not observed is flagged in ``quality``, and has no part in the S/N of the truth, the median over bands.
The truth never enters a record.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from classifiers.training.narrowband.noise import Observed, observe
from classifiers.training.narrowband.simulator import CLASSES, KINDS, NarrowbandSimulator
from classifiers.training.simulation.forms import FLUX_UNIT
from classifiers.training.simulation.grid import Float64
from classifiers.training.simulation.l1_records import MASKED_BIT, SimulatedRecord, Truth

FORM = "JPAS"
DEFAULT_SHARES: Mapping[str, float] = {"QSO": 0.3, "GALAXY": 0.4, "STAR": 0.3}
_CHUNK = 512
_FIELD_DEG = (213.0, 215.0, 52.0, 53.5)
_FIRST_MJD, _EXPOSURE_S = 61_000.2, 240.0


def simulated_narrowband_records(
    simulator: NarrowbandSimulator,
    n: int,
    seed: int,
    shares: Mapping[str, float] = DEFAULT_SHARES,
    prefix: str = "SIM",
) -> Iterator[SimulatedRecord]:
    """Yield n records; the same arguments give the same records, and a larger n begins with them.

    Args:
        simulator: draws the sources.
        n: how many.
        seed: chunk i uses the generator of (seed, i).
        shares: relative frequency by kind.
        prefix: of the l1_id, which is "<prefix>-JPAS-<seed>-<number>".
    """
    wavelength = simulator.pivot_angstrom.copy()
    wavelength.setflags(write=False)
    chances = np.array([shares.get(kind, 0.0) for kind in KINDS])
    for start in range(0, n, _CHUNK):
        rng = np.random.default_rng((seed, start // _CHUNK))
        numbers = rng.multinomial(_CHUNK, chances / chances.sum())
        mocks = simulator.draw(dict(zip(KINDS, numbers.tolist(), strict=True)), rng)
        seen = observe(mocks.flux, simulator.pivot_angstrom, rng)
        sky = rng.uniform(_FIELD_DEG[::2], _FIELD_DEG[1::2], (_CHUNK, 2))
        flux, sigma = np.where(seen.good, seen.flux, 0.0), np.where(seen.good, seen.sigma, 0.0)
        quality = np.where(seen.good, 0, MASKED_BIT).astype(np.int32)
        snr = median_snr(seen)
        names = [CLASSES[index] for index in mocks.class_index().tolist()]
        for row in range(min(_CHUNK, n - start)):
            number = start + row
            l1_id = f"{prefix}-{FORM}-{seed}-{number:07d}"
            yield SimulatedRecord(
                {
                    **_common(wavelength),
                    "l1_id": l1_id,
                    "object_id": l1_id,
                    "ra_deg": float(sky[row, 0]),
                    "dec_deg": float(sky[row, 1]),
                    "is_extended": bool(mocks.extended[row]),
                    "magnitudes": [{"band": "r", "system": "AB", "value": float(mocks.r[row]), "error": 0.02}],
                    "flux": _frozen(flux[row].astype(np.float32)),
                    "uncertainty": _frozen(sigma[row].astype(np.float32)),
                    "quality": _frozen(quality[row]),
                },
                Truth(
                    l1_id, KINDS[int(mocks.kind[row])], names[row], None, float(mocks.redshift[row]), float(snr[row])
                ),
            )


def median_snr(seen: Observed) -> Float64:
    """Return the median S/N over the bands that are there of n sources, (n,); 0 where none is."""
    ratio = np.where(seen.good, seen.flux / seen.sigma, np.nan)
    ratio[~seen.good.any(axis=1)] = 0.0
    return np.asarray(np.nanmedian(ratio, axis=1))


def _common(wavelength: Any) -> dict[str, Any]:
    return {
        "survey": "SIMULATED",
        "instrument": FORM,
        "fibre_use": "OBJECT",
        "product_level": "COADD",
        "n_combine": 4,
        "pipeline_name": "specstream simulate",
        "mjd_start": _FIRST_MJD,
        "mjd_end": _FIRST_MJD + 0.2,
        "exptime_s": _EXPOSURE_S,
        "wavelength": wavelength,
        "grid": None,
        "medium": "VACUUM",
        "specsys": "BARYCENT",
        "flux_unit": FLUX_UNIT,
        "flux_calibration": "ABSOLUTE",
        "uncertainty_kind": "SIGMA",
        "sky_subtracted": True,
        "telluric_corrected": False,
        "dereddened": False,
        "sampling": "NARROWBAND",
    }


def _frozen(values: Any) -> Any:
    values.setflags(write=False)
    return values
