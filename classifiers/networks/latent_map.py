"""The map of a latent space as a graph: linear, bent by a small perceptron, then turned and scaled into place."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn


class LatentMap(nn.Module):
    """(b, latent) to (b, 2).

    Args:
        latent: numbers that are shown.
        hidden: width of the two hidden layers.
    """

    turn: Tensor
    offset: Tensor

    def __init__(self, latent: int, hidden: int = 128) -> None:
        super().__init__()
        self.linear = nn.Linear(latent, 2)
        self.bend = nn.Sequential(
            nn.Linear(latent, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, 2)
        )
        self.register_buffer("turn", torch.eye(2))
        self.register_buffer("offset", torch.zeros(2))

    def unplaced(self, latent: Tensor) -> Tensor:
        """Return positions (b, 2) before they are turned and scaled."""
        position: Tensor = self.linear(latent) + self.bend(latent)
        return position

    def forward(self, latent: Tensor) -> Tensor:
        """Return positions (b, 2) of latent means (b, latent)."""
        return self.unplaced(latent) @ self.turn + self.offset

    def places(self, latent: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
        """Return the positions (n, 2) of latent means (n, latent), as arrays."""
        with torch.no_grad():
            found: NDArray[np.float32] = self(torch.from_numpy(latent)).numpy()
        return found
