"""Redshift as a learned cross-correlation: feature maps against one long kernel, as a Toeplitz matrix product.

On a logarithmic grid a redshift is a shift, so the evidence for log(1+z) = shift x step is the correlation of the
observed feature maps with a rest-frame kernel (Tonry & Davis 1979, AJ 84, 1511), here learned.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from classifiers.networks.channels import row_sum


class Correlation(nn.Module):
    """Scores of ``bins`` shifts, of one feature pixel each."""

    def __init__(self, maps: int, pixels: int, bins: int) -> None:
        super().__init__()
        self.kernel = nn.Parameter(torch.randn(maps, pixels + bins - 1) * 0.05)
        self.bias = nn.Parameter(torch.zeros(bins))
        self.maps, self.pixels, self.bins = maps, pixels, bins
        self.gain = 1.0 / math.sqrt(pixels)

    def forward(self, features: Tensor) -> Tensor:
        """Score each shift.

        Args:
            features: (b, maps, 1, pixels).

        Returns:
            (b, bins) logits.
        """
        return features.flatten(1) @ (self.toeplitz() * self.gain) + self.bias

    def toeplitz(self) -> Tensor:
        """Return the kernels shifted by each bin, (maps x pixels, bins): T[p, s] = kernel[p - s + bins - 1].

        Rows of one element less than the repeated kernel is long slip by one element each: no table of indices.
        """
        length = self.pixels + self.bins - 1
        padded = torch.cat([self.kernel, torch.zeros_like(self.kernel[:, :1])], dim=1)
        rows = padded.repeat(1, self.bins)[:, : self.bins * length].reshape(self.maps, self.bins, length)
        return rows[:, :, self.bins - 1 :].transpose(1, 2).reshape(self.maps * self.pixels, self.bins)


def evidence(logits: Tensor) -> tuple[Tensor, Tensor]:
    """Return logsumexp and maximum over the bins, (b,) each."""
    highest = torch.amax(logits, dim=1, keepdim=True)
    total = torch.log(row_sum(torch.exp(logits - highest))) + highest
    return total[:, 0], highest[:, 0]


def peaks(logits: Tensor, half_window: int) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Read the two best solutions off the scores by windowed soft-argmax.

    Args:
        logits: (b, bins).
        half_window: bins to either side of a maximum that belong to its peak.

    Returns:
        position of the best, its spread, its probability, position of the second, its probability; each (b,), in bins.
    """
    probability = torch.softmax(logits, dim=1)
    bins = torch.arange(logits.shape[1], device=logits.device, dtype=logits.dtype)
    first, spread, mass, near = _peak(probability, bins, half_window)
    rest = probability * (1.0 - near)
    second, _, second_mass, _ = _peak(rest, bins, half_window)
    return first, spread, mass, second, second_mass


def _peak(probability: Tensor, bins: Tensor, half_window: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    best = torch.argmax(probability, dim=1, keepdim=True).to(probability.dtype)
    near = (torch.abs(bins[None, :] - best) <= half_window + 0.5).to(probability.dtype)
    inside = probability * near
    mass = row_sum(inside)
    safe = torch.clamp(mass, min=1e-20)
    beside = bins[None, :] - best  # small numbers: bins themselves would cost the position digits
    position = best + row_sum(inside * beside) / safe
    offset = bins[None, :] - position
    spread = torch.sqrt(row_sum(inside * offset * offset) / safe)
    return position[:, 0], spread[:, 0], mass[:, 0], near
