"""Spectra moved between the observed and the rest frame; on a logarithmic grid a redshift is a shift.

A shift is s = ln(1 + z) / step, in pixels of the common grid and with a fraction: between two pixels what is moved is
interpolated linearly. The fraction is one number for a whole spectrum, so the interpolation is done before or after the
pixels are picked, and only one pixel is picked for each. What lies beyond the other frame's ends is 0.
"""

from __future__ import annotations

import torch
from torch import Tensor

from classifiers.networks.channels import PIXELS

REST_BEFORE, REST_PIXELS = 1836, 3261
"""Pixels of the rest frame: how many before the blue end of the observed grid, and all: 998 to 9,491 Angstrom."""
BIN = 3
OBSERVED_BINS, REST_BINS = PIXELS // BIN, REST_PIXELS // BIN


def to_observed(rest: Tensor, shift: Tensor) -> Tensor:
    """Move rest-frame spectra (b, 3261) to the observed grid, (b, 1557), by shifts (b, 1) [pixels]."""
    whole = torch.ceil(shift)
    fraction = whole - shift
    beyond = torch.zeros_like(rest[:, :1])
    between = torch.cat([beyond, rest + (torch.cat([rest[:, 1:], beyond], dim=1) - rest) * fraction, beyond], dim=1)
    place = torch.arange(PIXELS, device=rest.device, dtype=rest.dtype)[None] + (REST_BEFORE + 1.0) - whole
    return torch.gather(between, 1, torch.clamp(place, 0.0, REST_PIXELS + 1.0).to(torch.int64))


def to_rest(observed: Tensor, shift: Tensor) -> Tensor:
    """Move observed spectra in bins of 3 pixels, (b, 519), to bins of the rest frame, (b, 1087).

    Args:
        observed: (b, 519), 0 where masked.
        shift: (b, 1) [pixels].
    """
    bins = shift * (1.0 / BIN)
    whole = torch.floor(bins)
    fraction = bins - whole
    beyond = torch.zeros_like(observed[:, :1])
    after = torch.cat([observed[:, 1:], beyond], dim=1)
    between = torch.cat([beyond, observed + (after - observed) * fraction, beyond], dim=1)
    place = torch.arange(REST_BINS, device=observed.device, dtype=observed.dtype)[None] + whole
    place = place + (1.0 - REST_BEFORE // BIN)
    return torch.gather(between, 1, torch.clamp(place, 0.0, OBSERVED_BINS + 1.0).to(torch.int64))
