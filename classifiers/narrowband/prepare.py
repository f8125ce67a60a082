"""From measurements at some wavelengths to a bundle's bands; a row gives the same bits whatever batch it comes in.

A measurement belongs to the band whose wavelength it has to within the band's tolerance; of several the nearest, and
of two as near the first. Bands without a measurement are masked. Fluxes are brought to F_lambda at the band's pivot
wavelength, where F_lambda = F_nu c / wavelength^2 holds exactly for photon-weighted means (Tokunaga & Vacca 2005, PASP
117, 421, appendix). Air or vacuum and the velocity of the Earth shift a wavelength by less than 3 Angstrom, far below
any tolerance, and are not looked at.

What is masked and what a user is told of it is as in ``classifiers.preprocess.prepare``; so is the normalisation, and
so is what comes out, with a bundle's bands in the place of the grid's pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from classifiers.bundle.manifest import Band
from classifiers.items import Axis, GridAxis, Spectrum
from classifiers.preprocess.normalise import normalise
from classifiers.preprocess.prepare import PreparedBatch
from classifiers.preprocess.units import flux_unit
from classifiers.preprocess.weights import weigh
from classifiers.quality import Quality


@dataclass(frozen=True, slots=True, eq=False)
class _Match:
    """Which measurement of an axis is which band: ``pixels`` (m,) and ``bands`` (m,) int64, wavelengths (n,)."""

    pixels: NDArray[np.int64]
    bands: NDArray[np.int64]
    wavelength_angstrom: NDArray[np.float64]


def prepare_bands(spectra: Sequence[Spectrum], bands: tuple[Band, ...]) -> PreparedBatch:
    """Bring n >= 1 narrow-band spectra into a bundle's bands.

    Args:
        spectra: any axes, units and uncertainty kinds together; none of them DISPERSED.
        bands: of the bundle, by wavelength.

    Raises:
        UnitError: a flux unit is not one that can be classified (the stream rejects such records before).
    """
    n = len(spectra)
    batch = PreparedBatch(
        flux=np.zeros((n, len(bands)), np.float32),
        inverse_variance=np.zeros((n, len(bands)), np.float32),
        scale=np.ones(n),
        snr=np.full(n, np.nan),
        coverage=np.zeros(n),
        quality_flags=np.zeros(n, np.int64),
    )
    groups: dict[tuple[object, ...], list[int]] = {}
    for row, spectrum in enumerate(spectra):
        identity = _identity(spectrum.axis)
        groups.setdefault((identity, spectrum.uncertainty_kind, spectrum.flux_unit), []).append(row)
    for rows in groups.values():
        _fill([spectra[row] for row in rows], np.array(rows), bands, batch)
    return batch


def _fill(members: Sequence[Spectrum], rows: NDArray[np.int64], bands: tuple[Band, ...], batch: PreparedBatch) -> None:
    """Prepare spectra of one axis, uncertainty kind and unit into their rows of the batch."""
    match = _match(_AxisKey(_identity(members[0].axis), members[0].axis), bands)
    unit = flux_unit(members[0].flux_unit)
    size = len(match.wavelength_angstrom)
    flags = np.array(
        [
            int(Quality.NO_QUALITY_ARRAY) * (spectrum.quality is None) | int(Quality.SKY_FIBRE) * spectrum.sky_fibre
            for spectrum in members
        ],
        np.int64,
    )
    flags |= 0 if unit.calibrated else int(Quality.UNCALIBRATED_FLUX)
    weighed = weigh(members, slice(0, size), unit.per_pixel(match.wavelength_angstrom))
    in_bands = np.zeros((2, len(members), len(bands)), np.float32)
    in_bands[0][:, match.bands] = weighed.weight[:, match.pixels]
    in_bands[1][:, match.bands] = weighed.weighted[:, match.pixels]
    done = normalise(in_bands[0], in_bands[1])
    batch.flux[rows] = done.flux
    batch.inverse_variance[rows] = done.inverse_variance
    batch.scale[rows] = unit.factor * np.ldexp(done.scale, -weighed.exponent)
    batch.snr[rows] = done.snr
    batch.coverage[rows] = done.coverage
    batch.quality_flags[rows] = flags | weighed.flags


def _identity(axis: Axis) -> GridAxis | bytes:
    return axis if isinstance(axis, GridAxis) else axis.digest


class _AxisKey:
    """An axis as a key of the cache: equal where the identities are."""

    __slots__ = ("axis", "identity")

    def __init__(self, identity: GridAxis | bytes, axis: Axis) -> None:
        self.identity = identity
        self.axis = axis

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _AxisKey) and self.identity == other.identity

    def __hash__(self) -> int:
        return hash(self.identity)


@lru_cache(maxsize=256)
def _match(key: _AxisKey, bands: tuple[Band, ...]) -> _Match:
    """Return the measurement of each band, and the wavelengths at which fluxes are converted."""
    measured = _wavelengths(key.axis)
    centres = np.array([band.wavelength_angstrom for band in bands])
    after = np.clip(np.searchsorted(measured, centres), 0, measured.size - 1)
    before = np.maximum(after - 1, 0)
    nearest = np.where(np.abs(measured[before] - centres) <= np.abs(measured[after] - centres), before, after)
    tolerance = np.array([band.tolerance_angstrom for band in bands])
    which = np.flatnonzero(np.abs(measured[nearest] - centres) <= tolerance)
    wavelength = measured.copy()
    wavelength[nearest[which]] = centres[which]
    return _Match(nearest[which].astype(np.int64), which.astype(np.int64), wavelength)


def _wavelengths(axis: Axis) -> NDArray[np.float64]:
    if isinstance(axis, GridAxis):
        regular = axis.start + axis.step * np.arange(axis.n, dtype=np.float64)
        return np.asarray(np.power(10.0, regular) if axis.kind == "LOG10" else regular, np.float64)
    return np.asarray(axis.wavelength_angstrom, np.float64)
