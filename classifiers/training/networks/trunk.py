"""Small residual Conv1d trunk; every strided layer is a third of the resolution of the one before."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Residual(nn.Module):
    """x + Conv(relu(x)): one convolution of the width of its input."""

    def __init__(self, width: int, kernel: int) -> None:
        super().__init__()
        self.convolution = nn.Conv1d(width, width, kernel, padding=kernel // 2)

    def forward(self, x: Tensor) -> Tensor:
        """Return an array of the shape of ``x``."""
        change: Tensor = self.convolution(torch.relu(x))
        return x + change


class Trunk(nn.Module):
    """(b, 3, 1557) channels to feature maps of 519 and 173 pixels and a vector.

    Args:
        widths: channels at 519, 173 and 58 pixels.
        kernel: of the strided and residual convolutions.
        residual: whether to put residual convolutions at 519, 173 and 58 pixels.
    """

    FINE, COARSE = 519, 173

    def __init__(self, widths: tuple[int, int, int], kernel: int = 5, residual: tuple[bool, bool, bool] = (True,) * 3):
        super().__init__()
        first, second, third = widths
        self.stem = nn.Conv1d(3, first, 9, stride=3, padding=3)
        self.down1 = nn.Conv1d(first, second, kernel, stride=3, padding=1)
        self.down2 = nn.Conv1d(second, third, kernel, stride=3, padding=2)
        blocks = [
            Residual(width, kernel) if use else nn.Identity() for width, use in zip(widths, residual, strict=True)
        ]
        self.blocks = nn.ModuleList(blocks)
        self.vector_size = third * 29

    def forward(self, channels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return feature maps (b, first, 519) and (b, second, 173) and a vector (b, vector_size), rectified."""
        fine = torch.relu(self.blocks[0](self.stem(channels)))
        coarse = torch.relu(self.blocks[1](self.down1(fine)))
        x = torch.relu(self.blocks[2](self.down2(coarse)))
        pooled = 0.5 * (x[:, :, 0:58:2] + x[:, :, 1:58:2])
        return fine, coarse, pooled.flatten(1)
