"""Joining the arms of one spectrum into one record.

Where two arms overlap on one pixel grid (DESI, WEAVE), flux is combined with inverse-variance weights; where their
grids differ, the overlap is cut at its middle, because combining would need resampling, which correlates the noise.
Arms that do not touch (4MOST high resolution) are laid one behind the other, with the gap left open: the axis stays
strictly increasing and no pixel is invented. The plan depends on the wavelengths alone and is made once for all spectra
of a file.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from stream.fits.axes import axis_fields

# Part of a pixel within which two grids are one.
_SAME_PIXEL: Final = 1e-2


@dataclass(frozen=True, slots=True)
class ArmSpectrum:
    """One arm of one spectrum.

    Attributes:
        flux: (n,) float.
        ivar: (n,) float, in flux^-2; 0 where there is no measurement.
        quality: (n,) integer bits, 0 = good; None where the survey gives none.
    """

    flux: NDArray[Any]
    ivar: NDArray[Any]
    quality: NDArray[Any] | None


@dataclass(frozen=True, slots=True)
class _Placement:
    arm: int
    source: slice
    target: slice
    overlap: int  # leading pixels that fall on pixels already filled


class JoinPlan:
    """How arms of given wavelengths become one axis.

    Attributes:
        wavelength: (n,) float64 Angstrom, strictly increasing.
        axis: its ``grid`` or ``wavelength`` field.
    """

    def __init__(self, wavelengths: Sequence[NDArray[np.float64]]) -> None:
        """Plan; each of ``wavelengths`` is (n_arm,) float64 Angstrom, strictly increasing, in any order of arms."""
        order = sorted(range(len(wavelengths)), key=lambda arm: float(wavelengths[arm][0]))
        joined = np.asarray(wavelengths[order[0]], dtype=np.float64)
        placements = [_Placement(order[0], slice(0, joined.size), slice(0, joined.size), 0)]
        for arm in order[1:]:
            ours = np.asarray(wavelengths[arm], dtype=np.float64)
            joined, placement = _append(joined, ours, arm)
            placements.append(placement)
        self._placements = placements  # in this order: a later arm overwrites what it cut off an earlier one
        self.wavelength = joined
        self.axis = axis_fields(joined, np.float64)

    def apply(self, arms: Sequence[ArmSpectrum]) -> ArmSpectrum:
        """Return the joined spectrum; ``arms`` in the order of the plan's wavelengths."""
        n = self.wavelength.size
        flux, ivar = np.full(n, np.nan), np.zeros(n)
        quality = None if any(arm.quality is None for arm in arms) else np.zeros(n, dtype=np.int64)
        for place in self._placements:
            source, target = place.source, place.target
            length = min(source.stop - source.start, n - target.start)
            arm = arms[place.arm]
            taken = slice(source.start, source.start + length)
            bits = None if quality is None or arm.quality is None else arm.quality[taken]
            new = ArmSpectrum(arm.flux[taken], arm.ivar[taken], bits)
            target = slice(target.start, target.start + length)
            if place.overlap:
                head = slice(target.start, target.start + place.overlap)
                old = ArmSpectrum(flux[head].copy(), ivar[head].copy(), None if quality is None else quality[head])
                new = _combine_head(old, new, place.overlap)
            flux[target], ivar[target] = new.flux, new.ivar
            if quality is not None and new.quality is not None:
                quality[target] = new.quality
        return ArmSpectrum(flux, ivar, quality)


def _append(joined: NDArray[np.float64], ours: NDArray[np.float64], arm: int) -> tuple[NDArray[np.float64], _Placement]:
    n_over = int(np.searchsorted(ours, joined[-1], side="right"))
    if n_over == 0:
        start = joined.size
        return np.concatenate([joined, ours]), _Placement(arm, slice(0, ours.size), slice(start, start + ours.size), 0)
    start = int(np.argmin(np.abs(joined - ours[0])))
    step = float(np.min(np.diff(ours)))
    same = joined.size - start == n_over and np.all(np.abs(joined[start:] - ours[:n_over]) < _SAME_PIXEL * step)
    if same:
        target = slice(start, start + ours.size)
        return np.concatenate([joined, ours[n_over:]]), _Placement(arm, slice(0, ours.size), target, n_over)
    middle = 0.5 * (max(float(ours[0]), float(joined[0])) + min(float(joined[-1]), float(ours[-1])))
    kept = joined[joined < middle]
    first = int(np.searchsorted(ours, middle, side="left"))
    target = slice(kept.size, kept.size + ours.size - first)
    return np.concatenate([kept, ours[first:]]), _Placement(arm, slice(first, ours.size), target, 0)


def _combine_head(old: ArmSpectrum, new: ArmSpectrum, n_over: int) -> ArmSpectrum:
    """Return ``new`` with its first ``n_over`` pixels combined with ``old`` by inverse variance; bad ones weigh 0."""
    head = slice(0, n_over)
    flux, ivar = np.array(new.flux, dtype=np.float64), np.array(new.ivar, dtype=np.float64)
    weight_old = _weight(old)
    weight_new = _weight(
        ArmSpectrum(new.flux[head], new.ivar[head], None if new.quality is None else new.quality[head])
    )
    total = weight_old + weight_new
    known = total > 0
    weighted = weight_old * np.nan_to_num(old.flux, posinf=0.0, neginf=0.0) + weight_new * np.nan_to_num(
        flux[head], posinf=0.0, neginf=0.0
    )
    flux[head] = np.where(known, weighted / np.where(known, total, 1.0), old.flux)
    ivar[head] = total
    quality = None
    if new.quality is not None and old.quality is not None:
        quality = np.array(new.quality, dtype=np.int64)
        quality[head] = np.where(known, 0, quality[head] | old.quality)
    return ArmSpectrum(flux, ivar, quality)


def _weight(arm: ArmSpectrum) -> NDArray[np.float64]:
    good = np.isfinite(arm.flux) & np.isfinite(arm.ivar) & (arm.ivar > 0)
    if arm.quality is not None:
        good &= arm.quality == 0
    return np.where(good, arm.ivar, 0.0).astype(np.float64)


def ivar_of_sigma(sigma: NDArray[Any]) -> NDArray[np.float64]:
    """Return inverse variances of one-sigma errors; 0 where an error is zero, negative or not finite."""
    sigma = np.asarray(sigma, dtype=np.float64)
    good = np.isfinite(sigma) & (sigma > 0)
    return np.where(good, 1.0 / np.square(np.where(good, sigma, 1.0)), 0.0)
