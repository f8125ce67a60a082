"""Preparation of raw spectra on the device: what ``classifiers.preprocess.prepare`` does, as torch operators.

Masks, flags and coverage are exactly those of the CPU; so are all numbers but for the last bits of sums, which are
added up in float64 in both places, in another order. Only kernels, no synchronisation and no size that depends on
data, so that a CUDA graph can hold all of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from classifiers.preprocess.normalise import FLUX_LIMIT, WEIGHT_LIMIT
from classifiers.preprocess.weights import MASKED_FRACTION
from classifiers.quality import Quality

LARGEST = torch.finfo(torch.float32).max
SCALE_LIMIT = 1e18
SAMPLE = 64
SAFE_EXPONENT = 20
"""The three are ``normalise``'s and ``weights``' own; the tests compare results at their edges."""
_POWERS = {"raw_sigma": 1.0, "raw_variance": 0.5, "raw_ivar": -0.5}
"""Of the uncertainty, to become a sigma."""


class Column(NamedTuple):
    """What the preparation says of each row beside flux and inverse variance."""

    name: str
    shape: tuple[int, ...]
    dtype: str


SCALE, SNR, COUNT, FLAGS = "prepared/scale", "prepared/snr", "prepared/count", "prepared/flags"


class DevicePreparation:
    """A ``Preparation`` of the raw arrays of ``raw``: weights, bins, normalisation.

    It says of each row its scale (float64, but for the unit's factor), its S/N (float64, NaN without a valid bin), the
    number of valid bins and the flags that pixels decide.
    """

    @property
    def outputs(self) -> Mapping[str, Column]:
        """Return what is said of each row."""
        kinds = {SCALE: "float64", SNR: "float64", COUNT: "int64", FLAGS: "int64"}
        return {name: Column(name, (), dtype) for name, dtype in kinds.items()}

    def accepts(self, names: frozenset[str]) -> bool:
        """Return whether these are raw arrays."""
        return "raw_flux" in names

    def launch(self, raw: Mapping[str, Tensor], inputs: Mapping[str, Tensor], outputs: Mapping[str, Tensor]) -> None:
        """Write flux and inverse variance, and what is said of each row; see ``Preparation``."""
        weighed = weigh(raw)
        bins = _Bins(raw["raw_under"].long(), raw["raw_share"], raw["raw_depth"].shape[1])
        weight, weighted = bins.sums(weighed.weight), bins.sums(weighed.weighted)
        done = normalise(weight, weighted)
        inputs["flux"].copy_(done.flux)
        inputs["inverse_variance"].copy_(done.inverse_variance)
        outputs[SCALE].copy_(done.scale * _power(-weighed.exponent))
        outputs[SNR].copy_(done.snr)
        outputs[COUNT].copy_(done.valid)
        outputs[FLAGS].copy_(weighed.flags)


class Weighed(NamedTuple):
    """As ``preprocess.weights.Weighed``: weight and weighted (b, width) float32, exponent and flags (b,) int64."""

    weight: Tensor
    weighted: Tensor
    exponent: Tensor
    flags: Tensor


def weigh(raw: Mapping[str, Tensor]) -> Weighed:
    """Return inverse variances, inverse variances times flux, and the flags of the pixels' rules."""
    kind = next(name for name in _POWERS if name in raw)
    flux, uncertainty, good, pixels = raw["raw_flux"], raw[kind], raw["raw_quality"] == 0, raw["raw_pixels"].long()
    exponent = _exponent(uncertainty, good, pixels, kind)
    known = (uncertainty.abs() <= LARGEST) & (flux.abs() <= LARGEST)
    wrong = uncertainty < 0 if kind == "raw_ivar" else uncertainty <= 0
    power = {"raw_sigma": 1, "raw_variance": 2, "raw_ivar": -2}[kind]
    v, f = _scaled(uncertainty, power * exponent), _scaled(flux, exponent)
    if kind == "raw_sigma":
        v = v * v
    factor = raw.get("raw_factor")
    if factor is not None:
        square = factor * factor
        v = v / square if kind == "raw_ivar" else v * square
        f = f * factor
    if kind != "raw_ivar":
        v = 1.0 / v
    fv = v * f
    valid = good & known & ~wrong & (v <= LARGEST) & (fv.abs() <= LARGEST)
    zero = torch.zeros((), dtype=v.dtype, device=v.device)
    weight = torch.where(valid, v, zero)
    flags = (
        torch.any(good & ~known, dim=1).long() * int(Quality.NON_FINITE_INPUT)
        + torch.any(good & wrong, dim=1).long() * int(Quality.BAD_UNCERTAINTY)
        + _mostly_masked(weight > 0).long() * int(Quality.MASKED_PIXELS)
    )
    return Weighed(weight, torch.where(valid, fv, zero), exponent, flags)


class _Bins(NamedTuple):
    """``preprocess.rebin.Rebinner`` of each row: under (b, bin + 1) int64, share (b, bin + 1) float64."""

    under: Tensor
    share: Tensor
    depth: int

    def sums(self, pixels: Tensor) -> Tensor:
        """Return the sums of (b, width) float32 over the bins: (b, bin) float32."""
        last = pixels.shape[1] - 1
        cut = self.share * pixels.gather(1, self.under)  # what lies before each edge of the pixel that it cuts
        total = cut[:, 1:] - cut[:, :-1]
        start, stop = self.under[:, :-1], self.under[:, 1:]
        zero = torch.zeros((), dtype=pixels.dtype, device=pixels.device)
        for step in range(self.depth):
            place = start + step
            inside = pixels.gather(1, place.clamp(max=last))
            total = total + torch.where(place < stop, inside, zero)
        return total.to(torch.float32)


class Normalised(NamedTuple):
    """As ``preprocess.normalise.Normalised``, with the number of valid bins instead of their share."""

    flux: Tensor
    inverse_variance: Tensor
    scale: Tensor
    snr: Tensor
    valid: Tensor


def normalise(weight: Tensor, weighted: Tensor) -> Normalised:
    """Turn sums over bins, (b, bin) float32, into normalised flux and inverse variance."""
    zero = torch.zeros((), dtype=weight.dtype, device=weight.device)
    nan = torch.full((), float("nan"), dtype=weight.dtype, device=weight.device)
    weight = torch.where((weight <= LARGEST) & (weighted.abs() <= LARGEST), weight, zero)
    valid = weight > 0
    flux = torch.where(valid, weighted / weight, nan)
    snr = _mean(*_middle(torch.where(valid, weighted / torch.sqrt(weight), nan)))
    centre = _mean(*_middle(flux))
    low, high = _middle(torch.where(valid, weight, nan))
    sigma = 0.5 * (high.double() ** -0.5 + low.double() ** -0.5)
    count = valid.sum(dim=1)
    scale = torch.fmax(centre.abs(), 0.5 * sigma).clamp(1.0 / SCALE_LIMIT, SCALE_LIMIT)
    scale = torch.where(count > 0, scale, torch.ones((), dtype=scale.dtype, device=scale.device))
    inverse, square = (1.0 / scale).float()[:, None], (scale * scale).float()[:, None]
    limit = float(FLUX_LIMIT)
    flux = torch.where(valid, (flux * inverse).clamp(-limit, limit), zero)
    return Normalised(flux, (weight * square).clamp(max=float(WEIGHT_LIMIT)), scale, snr, count)


def _middle(values: Tensor) -> tuple[Tensor, Tensor]:
    """Return the two values in the middle of each row (the same one of an odd number), NaN not counted."""
    return torch.nanmedian(values, dim=1).values, -torch.nanmedian(-values, dim=1).values


def _mean(low: Tensor, high: Tensor) -> Tensor:
    return 0.5 * (low.double() + high.double())


def _exponent(uncertainty: Tensor, good: Tensor, pixels: Tensor, kind: str) -> Tensor:
    """Return the power of two that brings the geometric mean of sigma near 1, (b,) int64; 0 where it is near enough."""
    usable = good & (uncertainty > 0) & (uncertainty <= LARGEST)
    logarithm = torch.where(usable, torch.log2(uncertainty), torch.zeros_like(uncertainty))
    place = torch.arange(uncertainty.shape[1], device=uncertainty.device, dtype=torch.int32)
    step = (pixels // SAMPLE).clamp(min=1).to(torch.int32)
    sampled = usable & (place[None, :] % step[:, None] == 0)
    some = sampled.sum(dim=1)
    of_sample = (logarithm * sampled).sum(dim=1, dtype=torch.float64)
    total = torch.where(some > 0, of_sample, logarithm.sum(dim=1, dtype=torch.float64))
    count = torch.where(some > 0, some, usable.sum(dim=1))
    mean = _POWERS[kind] * total / count.clamp(min=1)
    exponent = -torch.round(mean).long()
    return torch.where((count > 0) & (exponent.abs() > SAFE_EXPONENT), exponent, torch.zeros_like(exponent))


def _scaled(values: Tensor, exponent: Tensor) -> Tensor:
    """Return (b, width) float32 times 2^exponent of each row, in two exact steps where one would not be a float32."""
    half = torch.div(exponent, 2, rounding_mode="floor")
    first, rest = _power(half).float(), _power(exponent - half).float()
    return values * first[:, None] * rest[:, None]


def _power(exponent: Tensor) -> Tensor:
    """Return 2^exponent, exactly: (b,) float64 of int64 between -1022 and 1023."""
    return ((exponent + 1023) << 52).view(torch.float64)


def _mostly_masked(valid: Tensor) -> Tensor:
    """Return whether more than a tenth of the pixels between the first and the last valid one are masked, (b,)."""
    width = valid.shape[1]
    place = torch.arange(width, device=valid.device, dtype=torch.int32)[None, :]
    first = torch.where(valid, place, width).amin(dim=1)
    last = torch.where(valid, place, -1).amax(dim=1)
    count = valid.sum(dim=1)
    return (count > 0) & (count.double() < (1.0 - MASKED_FRACTION) * (last - first + 1).double())
