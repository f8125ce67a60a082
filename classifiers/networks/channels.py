"""What every spectral network sees: three channels built in the graph from flux and inverse variance.

Only ops that any runtime parses (matrix products, elementwise): no asinh, no scatter. Sums over a row are matrix
products with a column of ones, because onnxruntime's ReduceSum adds up in an order that depends on where a row lies in
memory, and a spectrum's answer must not depend on the batch it comes in.

The three networks call the same functions on the same inputs, so that a runtime which holds their graphs together
computes the common part once.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

PIXELS = 1557
_POOL = 9
_COARSE = PIXELS // _POOL
_WINDOW = 11
_TINY = 1e-30
_RELATIVE_ERROR_FLOOR = 0.015
_STEEP = 1e30


def compress(x: Tensor, factor: float = 1.0) -> Tensor:
    """Return factor x asinh(x), asinh(x) being sign(x) log(|x| + sqrt(x^2 + 1)).

    The sign is a steep ramp that is clipped: onnxruntime takes 4.2 us for the Sign of a spectrum, 1.8 us for these two.
    """
    sign = torch.clamp(x * _STEEP, -factor, factor)
    return sign * torch.log(torch.abs(x) + torch.sqrt(x * x + 1.0))


def row_sum(x: Tensor) -> Tensor:
    """Return the sums over the last axis, which stays as an axis of length 1."""
    return x @ torch.ones(x.shape[-1], 1, dtype=x.dtype, device=x.device)


def normalise(flux: Tensor, inverse_variance: Tensor) -> tuple[Tensor, Tensor]:
    """Divide by the level of each row, the root mean square flux beyond noise, at least half the typical error.

    Args:
        flux: (b, 1557).
        inverse_variance: (b, 1557), 0 where masked.

    Returns:
        flux over level and S/N at level flux, both (b, 1557); neither depends on the unit of flux.
    """
    count = row_sum((inverse_variance > 0).to(flux.dtype))
    total = torch.clamp(row_sum(inverse_variance), min=_TINY)
    power = row_sum(inverse_variance * flux * flux)
    square = torch.maximum(power - count, 0.25 * count) / total
    level = torch.sqrt(torch.clamp(square, min=_TINY))
    return flux / level, torch.sqrt(inverse_variance) * level


def box_matrix() -> Tensor:
    """Return (173, 173) of zeros and ones: the 11 bins of 9 pixels (99 px) around each bin."""
    bins = torch.arange(_COARSE)
    return ((bins[:, None] - bins[None, :]).abs() <= _WINDOW // 2).float()


def tent_matrix() -> Tensor:
    """Return (3, 9): the shares of the bin before, of its own and of the bin after in each pixel of a bin."""
    offset = (torch.arange(_POOL) - _POOL // 2) / _POOL
    return torch.stack([torch.relu(-offset), 1.0 - torch.abs(offset), torch.relu(offset)])


def sum_bins(x: Tensor, pixels: int = _POOL) -> Tensor:
    """Return the sums of 9 (or another divisor of 1557) neighbouring pixels, (b, 1557) to (b, 173)."""
    ones = torch.ones(1, 1, pixels, dtype=x.dtype, device=x.device)
    return nn.functional.conv1d(x[:, None], ones, stride=pixels)[:, 0]


def interpolate_bins(x: Tensor, tent: Tensor) -> Tensor:
    """Interpolate linearly from bins of 9 pixels to pixels, (b, 173) to (b, 1557), flat beyond the outer centres."""
    before = torch.cat([x[:, :1], x[:, :-1]], dim=1)
    after = torch.cat([x[:, 1:], x[:, -1:]], dim=1)
    return (torch.stack([before, x, after], dim=2) @ tent).reshape(-1, PIXELS)


class Channels(nn.Module):
    """Flux and inverse variance to three channels: continuum, line significance, S/N."""

    box: Tensor
    tent: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("box", box_matrix(), persistent=False)
        self.register_buffer("tent", tent_matrix(), persistent=False)

    def forward(self, flux: Tensor, inverse_variance: Tensor) -> Tensor:
        """Build the channels.

        Args:
            flux: (b, 1557) float32.
            inverse_variance: (b, 1557) float32, 0 where masked.

        Returns:
            (b, 3, 1557): asinh(flux / level); asinh(significance above a boxcar continuum, 1.5 % error floor) / 2;
            log10 of the S/N at level flux, -2 where masked.
        """
        return self.of(*normalise(flux, inverse_variance))

    def continuum(self, x: Tensor, significance: Tensor) -> Tensor:
        """Return the boxcar continuum of normalised flux, (b, 1557)."""
        weight = significance * significance
        return interpolate_bins((sum_bins(weight * x) @ self.box) / (sum_bins(weight) @ self.box + 1e-6), self.tent)

    def of(self, x: Tensor, significance: Tensor) -> Tensor:
        """Build the channels of flux over level and S/N at level flux, as ``normalise`` returns them."""
        continuum = self.continuum(x, significance)
        floor = _RELATIVE_ERROR_FLOOR * significance * continuum
        lines = (x - continuum) * significance / torch.sqrt(1.0 + floor * floor)
        snr = torch.log(torch.clamp(significance, min=1e-2, max=1e3)) * 0.4342945
        return torch.stack([compress(x), compress(lines, 0.5), snr], dim=1)
