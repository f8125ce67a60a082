"""Variational autoencoder of known spectra (Kingma & Welling 2014, arXiv:1312.6114) with inverse-variance likelihood.

At export the latent mean alone is used. Score is the reduced chi-square of the reconstruction in bins of 9 pixels with
an error floor: bins, because what the latent space leaves out of known objects (lines at any redshift, cosmic rays) is
narrow, and what is novel as a rule is not. (Bins found up to eight times as many supernovae as pixels did, in a first
version; the supernovae served for this choice alone, no weight was fitted to them.) A bin counts at most
``LARGEST_CHI2``. Each pixel's contribution is the chi-square of its bin. The map is fitted to the latent means once the
autoencoder is trained (``classifiers.training.latent_map``).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from classifiers.networks.channels import PIXELS, compress, normalise, row_sum, sum_bins
from classifiers.networks.declared import ANOMALY_OUTPUTS
from classifiers.networks.latent_map import LatentMap

ERROR_FLOOR = 0.08
BIN_ERROR_FLOOR = 0.04
LARGEST_CHI2 = 16.0
BIN_PIXELS = 9
_ENCODED_PIXELS = 3
_TINY = 1e-9


class SpectralVae(nn.Module):
    """Encoder and decoder between normalised spectra and ``latent`` numbers; the encoder sees bins of 3 pixels."""

    def __init__(self, latent: int = 32, hidden: int = 160) -> None:
        super().__init__()
        self.latent = latent
        self.encoder = nn.Sequential(
            nn.Linear(2 * PIXELS // _ENCODED_PIXELS, hidden),
            nn.ReLU(),
            nn.Linear(hidden, hidden),
            nn.ReLU(),
            nn.Linear(hidden, 2 * latent),
        )
        self.decoder = nn.Sequential(
            nn.Linear(latent, 96), nn.ReLU(), nn.Linear(96, 192), nn.ReLU(), nn.Linear(192, PIXELS)
        )

    def encode(self, x: Tensor, significance: Tensor) -> tuple[Tensor, Tensor]:
        """Return latent mean and log variance, (b, latent) each, of normalised flux and S/N (b, 1557)."""
        weight = significance * significance
        total = sum_bins(weight, _ENCODED_PIXELS)
        mean = sum_bins(weight * x, _ENCODED_PIXELS) / torch.clamp(total, min=_TINY)
        snr = torch.log(torch.clamp(total, min=1e-4, max=1e6)) * 0.1
        code = self.encoder(torch.cat([compress(mean), snr], dim=1))
        return code[:, : self.latent], torch.clamp(code[:, self.latent :], -10.0, 4.0)

    def decode(self, latent: Tensor) -> Tensor:
        """Return the reconstruction, (b, 1557), in units of the level."""
        reconstruction: Tensor = self.decoder(latent)
        return reconstruction


def chi_square(x: Tensor, significance: Tensor, reconstruction: Tensor) -> Tensor:
    """Return the squared residual of each pixel over its variance, (b, 1557), 0 where masked.

    The variance is that of the pixel plus ``ERROR_FLOOR`` of the level, squared: what the latent space leaves out.
    """
    weight = significance * significance
    residual = x - reconstruction
    return residual * residual * weight / (1.0 + ERROR_FLOOR**2 * weight)


def binned_chi_square(x: Tensor, significance: Tensor, reconstruction: Tensor) -> Tensor:
    """Return the chi-square of the mean residual of each bin, (b, 173), 0 where a bin is masked throughout.

    Args:
        x: (b, 1557) normalised flux.
        significance: (b, 1557) S/N at level flux.
        reconstruction: (b, 1557).
    """
    weight = significance * significance
    total = sum_bins(weight)
    residual = sum_bins((x - reconstruction) * weight) / torch.clamp(total, min=1e-9)
    return residual * residual * total / (1.0 + BIN_ERROR_FLOOR**2 * total)


def score(chi_square_of_bins: Tensor, significance: Tensor) -> Tensor:
    """Return the mean chi-square of the bins that are not masked throughout, (b,).

    Args:
        chi_square_of_bins: (b, 173), at most ``LARGEST_CHI2``.
        significance: (b, 1557) S/N at level flux.
    """
    occupied = row_sum((sum_bins(significance * significance) > 0).to(significance.dtype))
    return (row_sum(chi_square_of_bins) / torch.clamp(occupied, min=1.0))[:, 0]


class ExportedVae(nn.Module):
    """The graph: flux and inverse variance to ``NAMES``."""

    NAMES = ANOMALY_OUTPUTS

    def __init__(self, network: SpectralVae, place: LatentMap) -> None:
        super().__init__()
        self.network = network
        self.place = place

    def forward(self, flux: Tensor, inverse_variance: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Compute score (b,), contribution (b, 1557) and map (b, 2); inputs (b, 1557) float32."""
        return self.answers(inverse_variance, *normalise(flux, inverse_variance))

    def answers(self, inverse_variance: Tensor, x: Tensor, significance: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Compute the outputs of flux over level and S/N at level flux, as ``normalise`` returns them."""
        latent, _ = self.network.encode(x, significance)
        chi2 = binned_chi_square(x, significance, self.network.decode(latent))
        chi2 = torch.clamp(chi2, max=LARGEST_CHI2)
        good = (inverse_variance > 0).to(x.dtype)
        return score(chi2, significance), spread_bins(chi2) * good, self.place(latent)


def spread_bins(x: Tensor) -> Tensor:
    """Give each pixel its bin's value, (b, 173) to (b, 1557), as a matrix product: onnxruntime's Expand takes 18 us."""
    ones = torch.ones(1, BIN_PIXELS, dtype=x.dtype, device=x.device)
    return (x[:, :, None] @ ones).reshape(-1, PIXELS)
