"""What networks on one trunk share: channels, trunk and redshift posteriors of galaxies and quasars."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn

from classifiers.networks.channels import Channels
from classifiers.networks.correlation import Correlation
from classifiers.networks.declared import GALAXY_BINS, QSO_BINS
from classifiers.networks.trunk import RowConvolution, Trunk

GALAXY_WINDOW, QSO_WINDOW = 4, 3
"""Bins to either side of a maximum of the redshift posterior that belong to its peak."""
_GALAXY_MAPS, _QSO_MAPS = 4, 6


class Read(NamedTuple):
    """Redshift logits (b, bins) of galaxies and quasars, and the trunk's vector (b, size)."""

    galaxy: Tensor
    quasar: Tensor
    vector: Tensor


class Reading(nn.Module):
    """Reads spectra; networks that share a trunk derive from it.

    Args:
        widths: of the trunk.
    """

    def __init__(self, widths: tuple[int, int, int] = (16, 32, 48)) -> None:
        super().__init__()
        self.channels = Channels()
        self.trunk = Trunk(widths)
        self.galaxy_maps = RowConvolution(widths[0], _GALAXY_MAPS, 1)
        self.quasar_maps = RowConvolution(widths[1], _QSO_MAPS, 1)
        self.galaxy = Correlation(_GALAXY_MAPS, Trunk.FINE, GALAXY_BINS)
        self.quasar = Correlation(_QSO_MAPS, Trunk.COARSE, QSO_BINS)

    def read(self, channels: Tensor) -> Read:
        """Compute what networks on this trunk share of channels (b, 3, 1557)."""
        fine, coarse, vector = self.trunk(channels)
        galaxy = self.galaxy(self.galaxy_maps(fine))
        quasar = self.quasar(self.quasar_maps(coarse))
        return Read(galaxy, quasar, vector)

    def read_as(self, other: Reading) -> None:
        """Read with the layers of another network from now on, and leave these as they are in training."""
        self.channels, self.trunk = other.channels, other.trunk
        self.galaxy_maps, self.quasar_maps = other.galaxy_maps, other.quasar_maps
        self.galaxy, self.quasar = other.galaxy, other.quasar
        for shared in (self.trunk, self.galaxy_maps, self.quasar_maps, self.galaxy, self.quasar):
            shared.requires_grad_(False)  # noqa: FBT003 - torch's own signature
