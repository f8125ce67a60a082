"""Small residual convolutional trunk; every strided layer is a third of the resolution of the one before.

Convolutions along the spectrum are computed as two-dimensional ones of height 1: onnxruntime blocks the channels of
these for the processor's vectors and takes 104 us where the same layers in one dimension take 252 us a spectrum (one
thread, AVX-512, onnxruntime 1.31).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class RowConvolution(nn.Conv1d):
    """A one-dimensional convolution of arrays (b, channel, 1, pixel)."""

    def forward(self, x: Tensor) -> Tensor:
        """Return (b, channel, 1, pixel)."""
        (stride,), padding = self.stride, self.padding
        return nn.functional.conv2d(x, self.weight[:, :, None], self.bias, (1, stride), (0, int(padding[0])))


class Residual(nn.Module):
    """x + Conv(relu(x)): one convolution of the width of its input, on arrays (b, channel, 1, pixel)."""

    def __init__(self, width: int, kernel: int) -> None:
        super().__init__()
        self.convolution = RowConvolution(width, width, kernel, padding=kernel // 2)

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
        self.stem = RowConvolution(3, first, 9, stride=3, padding=3)
        self.down1 = RowConvolution(first, second, kernel, stride=3, padding=1)
        self.down2 = RowConvolution(second, third, kernel, stride=3, padding=2)
        blocks = [
            Residual(width, kernel) if use else nn.Identity() for width, use in zip(widths, residual, strict=True)
        ]
        self.blocks = nn.ModuleList(blocks)
        self.vector_size = third * 29

    def forward(self, channels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return feature maps (b, first, 1, 519), (b, second, 1, 173) and a vector (b, vector_size), rectified."""
        fine = torch.relu(self.blocks[0](self.stem(channels[:, :, None])))
        coarse = torch.relu(self.blocks[1](self.down1(fine)))
        x = torch.relu(self.blocks[2](self.down2(coarse)))
        return fine, coarse, nn.functional.avg_pool2d(x, (1, 2)).flatten(1)
