"""The image VAE: a small convolutional variational autoencoder with a spatial latent and a masked Gaussian likelihood.

Kingma & Welling (2014, arXiv:1312.6114), eq. 10, with a decoder that predicts mean and precision of each pixel. The
latent keeps an 8 x 8 layout, so that fields of many stars can be reconstructed, and few channels. Kernels of 5 at
stride 4 turn 63 pixels into 16 and back without padding or cropping, and no pixel shuffles: both cost more than the
convolutions on a CPU.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

SIDE = 63
LATENT_CHANNELS = 8
LATENT_SIDE = 8
MIN_LOG_PRECISION, MAX_LOG_PRECISION = -2.0, 1.6
"""Bounds of -ln(sigma) of a pixel, in units of the asinh stretch; the sky's noise is at about 0.25."""


class Posterior(NamedTuple):
    """Approximate posterior of a batch: mean and log variance, each (b, 8, 8, 8)."""

    mean: Tensor
    log_variance: Tensor


class Reconstruction(NamedTuple):
    """Predicted pixels of a batch: mean and -ln(sigma), each (b, 3, 63, 63)."""

    mean: Tensor
    log_precision: Tensor


class StampVae(nn.Module):
    """Encoder and decoder of (b, 3, 63, 63) stamps with their masks."""

    def __init__(self, fine: int = 32, coarse: int = 64, drawing: int = 16) -> None:
        super().__init__()
        self.coarse = coarse
        self.read_stamps = nn.Conv2d(3, fine, 5, stride=4, padding=1)
        self.read_mask = nn.Conv2d(3, fine, 5, stride=4, padding=1, bias=False)
        self.down = nn.Conv2d(fine, coarse, 3, stride=2, padding=1)
        self.write_latent = nn.Conv2d(coarse, 2 * LATENT_CHANNELS, 3, padding=1)
        self.decoder = nn.Sequential(
            nn.Conv2d(LATENT_CHANNELS, coarse, 3, padding=1),
            nn.ReLU(),
            nn.ConvTranspose2d(coarse, drawing, 2, stride=2),
            nn.ReLU(),
            nn.Conv2d(drawing, drawing, 3, padding=1),
            nn.ReLU(),
        )
        self.write_mean = nn.ConvTranspose2d(drawing, 3, 5, stride=4, padding=1)
        self.write_log_precision = nn.ConvTranspose2d(drawing, 3, 5, stride=4, padding=1)

    def features(self, stamps: Tensor, mask: Tensor) -> Tensor:
        """Return rectified features (b, coarse, 8, 8) of stamps, 0 where masked, with mask (1 = valid)."""
        return torch.relu(self.down(torch.relu(self.read_stamps(stamps) + self.read_mask(mask))))

    def posterior(self, features: Tensor) -> Posterior:
        """Return the posterior that features mean."""
        parameters = self.write_latent(features)
        return Posterior(parameters[:, :LATENT_CHANNELS], parameters[:, LATENT_CHANNELS:].clamp(-8.0, 4.0))

    def decode(self, latent: Tensor) -> Reconstruction:
        """Return the reconstruction of a latent (b, 8, 8, 8)."""
        drawn = self.decoder(latent)
        precision = self.write_log_precision(drawn).clamp(MIN_LOG_PRECISION, MAX_LOG_PRECISION)
        return Reconstruction(self.write_mean(drawn), precision)

    def negative_elbo(self, features: Tensor, stamps: Tensor, mask: Tensor, generator: torch.Generator) -> Tensor:
        """Return minus the evidence lower bound [nat], averaged over valid pixels, a scalar.

        Args:
            features: of the stamps.
            stamps: (b, 3, 63, 63) float32, asinh-stretched, 0 where masked.
            mask: (b, 3, 63, 63) float32, 1 = valid; the others have no likelihood.
            generator: source of the latent's noise, of the host.
        """
        posterior = self.posterior(features)
        noise = torch.randn(posterior.mean.shape, generator=generator).to(stamps.device)
        mean, log_precision = self.decode(posterior.mean + noise * torch.exp(0.5 * posterior.log_variance))
        chi = (stamps - mean) * torch.exp(log_precision)
        likelihood = mask * (0.5 * chi * chi - log_precision + 0.5 * math.log(2 * math.pi))
        divergence = 0.5 * (posterior.mean**2 + posterior.log_variance.exp() - 1 - posterior.log_variance)
        return (likelihood.sum() + divergence.sum()) / mask.sum()


def latent_pooling() -> Tensor:
    """Return (512, 16): takes a flat latent to its channels' means over the stamp, and over its four middle cells."""
    everywhere = torch.full((LATENT_SIDE, LATENT_SIDE), 1.0 / LATENT_SIDE**2)
    middle = torch.zeros(LATENT_SIDE, LATENT_SIDE)
    low, high = LATENT_SIDE // 2 - 1, LATENT_SIDE // 2 + 1
    middle[low:high, low:high] = 1.0 / (high - low) ** 2
    cells = torch.stack((everywhere.flatten(), middle.flatten()), dim=1)
    channels = torch.eye(LATENT_CHANNELS)
    return torch.cat([torch.kron(channels, cells[:, :1]), torch.kron(channels, cells[:, 1:])], dim=1)
