"""The image VAE: a small convolutional variational autoencoder with a spatial latent and a masked Gaussian likelihood.

Kingma & Welling (2014, arXiv:1312.6114), eq. 10, with a decoder that predicts mean and standard deviation of each
pixel. The latent keeps an 8 x 8 layout, so that fields of many stars can be reconstructed, and few channels, so that
patterns that no seeing-limited image shows (dipoles, hits, streaks) cannot. Kernels of 5 at stride 4 turn 63 pixels
into 16 and back without padding or cropping, and no pixel shuffles: both cost more than the convolutions on a CPU.
"""

from __future__ import annotations

import math
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn

SIDE = 63
LATENT_CHANNELS = 8
LATENT_SIDE = 8
MIN_LOG_SIGMA, MAX_LOG_SIGMA = -1.6, 2.0
"""Bounds of ln(sigma) of a pixel, in units of the asinh stretch; the sky's noise is at about -0.25."""
IMAGE_WEIGHTS = (0.2, 0.1, 1.0)
"""Weights of science, template and difference image in the score; chosen on simulated artefacts (AUROC) alone."""
WEIGHT_SIGMA_PIXELS, WEIGHT_FLOOR = 9.0, 0.02


class Posterior(NamedTuple):
    """Approximate posterior of a batch: mean and log variance, each (b, 8, 8, 8)."""

    mean: Tensor
    log_variance: Tensor


class Reconstruction(NamedTuple):
    """Predicted pixels of a batch: mean and ln(sigma), each (b, 3, 63, 63)."""

    mean: Tensor
    log_sigma: Tensor


class StampVae(nn.Module):
    """Encoder and decoder of (b, 3, 63, 63) stamps with their masks."""

    def __init__(self, fine: int = 32, coarse: int = 64) -> None:
        super().__init__()
        self.read_stamps = nn.Conv2d(3, fine, 5, stride=4, padding=1)
        self.read_mask = nn.Conv2d(3, fine, 5, stride=4, padding=1, bias=False)
        self.encoder = nn.Sequential(
            nn.ReLU(),
            nn.Conv2d(fine, coarse, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(coarse, 2 * LATENT_CHANNELS, 3, padding=1),
        )
        self.decoder = nn.Sequential(
            nn.Conv2d(LATENT_CHANNELS, coarse, 3, padding=1),
            nn.ReLU(),
            nn.ConvTranspose2d(coarse, fine, 2, stride=2),
            nn.ReLU(),
            nn.Conv2d(fine, fine, 3, padding=1),
            nn.ReLU(),
        )
        self.write_mean = nn.ConvTranspose2d(fine, 3, 5, stride=4, padding=1)
        self.write_log_sigma = nn.ConvTranspose2d(fine, 3, 5, stride=4, padding=1)

    def encode(self, stamps: Tensor, mask: Tensor) -> Posterior:
        """Return the posterior of stamps (b, 3, 63, 63), 0 where masked, with mask of the same shape (1 = valid)."""
        parameters = self.encoder(self.read_stamps(stamps) + self.read_mask(mask))
        return Posterior(parameters[:, :LATENT_CHANNELS], parameters[:, LATENT_CHANNELS:].clamp(-8.0, 4.0))

    def decode(self, latent: Tensor) -> Reconstruction:
        """Return the reconstruction of a latent (b, 8, 8, 8)."""
        features = self.decoder(latent)
        return Reconstruction(
            self.write_mean(features), self.write_log_sigma(features).clamp(MIN_LOG_SIGMA, MAX_LOG_SIGMA)
        )

    def negative_elbo(self, stamps: Tensor, mask: Tensor, generator: torch.Generator) -> Tensor:
        """Return minus the evidence lower bound [nat], averaged over valid pixels, a scalar.

        Args:
            stamps: (b, 3, 63, 63) float32, asinh-stretched, 0 where masked.
            mask: (b, 3, 63, 63) float32, 1 = valid; the others have no likelihood.
            generator: source of the latent's noise.
        """
        posterior = self.encode(stamps, mask)
        noise = torch.randn(posterior.mean.shape, generator=generator)
        mean, log_sigma = self.decode(posterior.mean + noise * torch.exp(0.5 * posterior.log_variance))
        chi = (stamps - mean) * torch.exp(-log_sigma)
        likelihood = mask * (0.5 * chi * chi + log_sigma + 0.5 * math.log(2 * math.pi))
        divergence = 0.5 * (posterior.mean**2 + posterior.log_variance.exp() - 1 - posterior.log_variance)
        return (likelihood.sum() + divergence.sum()) / mask.sum()


class StampScorer(nn.Module):
    """The graph of the bundle: role ``image_anomaly`` of ``classifiers.engine``, deterministic (the posterior's mean).

    ``contribution`` is the squared residual of each valid pixel in predicted sigmas. ``score`` is its weighted mean
    over valid pixels, a reduced chi-square: an alert is about the middle of its difference image, and an unweighted
    mean of 12,000 pixels drowns a dipole of 50 in the noise of the sky. ``map`` is a fixed linear projection of the
    latent. Sums over pixels are matrix products, whose result does not depend on the other rows of a batch.
    """

    def __init__(self, vae: StampVae, projection: Tensor, offset: Tensor) -> None:
        super().__init__()
        self.vae = vae
        self.register_buffer("projection", projection)
        self.register_buffer("offset", offset)
        self.register_buffer("weights", score_weights().reshape(-1, 1))

    def forward(self, stamps: Tensor, mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return score (b,), contribution (b, 3, 63, 63) and map (b, 2)."""
        posterior = self.vae.encode(stamps, mask)
        mean, log_sigma = self.vae.decode(posterior.mean)
        chi = (stamps - mean) * torch.exp(-log_sigma)
        contribution = mask * chi * chi
        weights = cast(Tensor, self.weights)
        score = (contribution.flatten(1) @ weights) / (mask.flatten(1) @ weights).clamp(min=1e-3)
        projection, offset = cast(Tensor, self.projection), cast(Tensor, self.offset)
        return score[:, 0], contribution, posterior.mean.flatten(1) @ projection + offset


def score_weights() -> Tensor:
    """Return the pixels' weights in the score, (3, 63, 63): a Gaussian on the middle above a floor."""
    distance = torch.arange(SIDE, dtype=torch.float32) - SIDE // 2
    radial = torch.exp(-(distance[:, None] ** 2 + distance[None, :] ** 2) / (2 * WEIGHT_SIGMA_PIXELS**2))
    return torch.tensor(IMAGE_WEIGHTS)[:, None, None] * (WEIGHT_FLOOR + radial)


def latent_pooling() -> Tensor:
    """Return (512, 16): takes a flat latent to its channels' means over the stamp, and over its four middle cells."""
    everywhere = torch.full((LATENT_SIDE, LATENT_SIDE), 1.0 / LATENT_SIDE**2)
    middle = torch.zeros(LATENT_SIDE, LATENT_SIDE)
    low, high = LATENT_SIDE // 2 - 1, LATENT_SIDE // 2 + 1
    middle[low:high, low:high] = 1.0 / (high - low) ** 2
    cells = torch.stack((everywhere.flatten(), middle.flatten()), dim=1)
    channels = torch.eye(LATENT_CHANNELS)
    return torch.cat([torch.kron(channels, cells[:, :1]), torch.kron(channels, cells[:, 1:])], dim=1)
