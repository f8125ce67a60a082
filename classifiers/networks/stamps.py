"""The heads of the image bundle on one encoder, and the graph that is exported.

The classifier reads the middle of the stamps at full resolution, where a cosmic ray differs from a star, and the
VAE's features for what is around it. The novelty head reads the same, and where the VAE's reconstruction fails; it is
taught with made-up alerts (``training.stamps.made_up``).
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from classifiers.networks.stamp_vae import LATENT_SIDE, MAX_LOG_PRECISION, SIDE, StampVae

CLASSES = 4
MIDDLE = slice(16, 47)
"""Rows and columns that the classifier reads at full resolution: 31 pixels about the middle one."""
IMAGE_WEIGHTS = (0.2, 0.1, 1.0)
"""Weights of science, template and difference image in the score; chosen on simulated artefacts (AUROC) alone."""
WEIGHT_SIGMA_PIXELS, WEIGHT_FLOOR = 9.0, 0.02
NOVELTY_CELL = 9
"""Side of the cells that the novelty head sees the deviance in [pixel]; 7 x 7 of them."""
LARGEST_CHI2 = 100.0
"""Most that one pixel contributes: one hot pixel says no more than that it is one."""


class StampHead(nn.Module):
    """Classifier of the change in the middle."""

    def __init__(self, coarse: int, width: int = 32, context: int = 16, hidden: int = 64) -> None:
        super().__init__()
        self.middle = nn.Sequential(
            nn.Conv2d(3, width, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(width, 2 * width, 3, stride=2, padding=1),
            nn.ReLU(),
        )
        self.context = nn.Sequential(nn.Conv2d(coarse, context, 1), nn.ReLU())
        self.size = 2 * width * 16 + context * LATENT_SIDE**2
        self.hidden = nn.Linear(self.size, hidden)
        self.classes = nn.Linear(hidden, CLASSES)

    def seen(self, stamps: Tensor, features: Tensor) -> Tensor:
        """Return what the heads read, (b, ``size``), of stamps (b, 3, 63, 63) and VAE features (b, coarse, 8, 8)."""
        crop = stamps[:, :, MIDDLE, MIDDLE]
        return torch.cat([self.middle(crop).flatten(1), self.context(features).flatten(1)], dim=1)

    def forward(self, seen: Tensor) -> Tensor:
        """Return class logits (b, 4) of what is seen."""
        logits: Tensor = self.classes(torch.relu(self.hidden(seen)))
        return logits


class NoveltyHead(nn.Module):
    """Logit of an alert that is unlike the simulated ones, from what the classifier reads and where the VAE fails."""

    def __init__(self, seen: int, hidden: int = 64) -> None:
        super().__init__()
        self.hidden = nn.Linear(seen + 3 * (SIDE // NOVELTY_CELL) ** 2, hidden)
        self.logit = nn.Linear(hidden, 1)

    def forward(self, seen: Tensor, contribution: Tensor) -> Tensor:
        """Return logits (b,) of what is seen (b, seen) and the pixels' deviances (b, 3, 63, 63)."""
        cells = torch.log1p(functional.avg_pool2d(contribution, NOVELTY_CELL)).flatten(1)
        logits: Tensor = self.logit(torch.relu(self.hidden(torch.cat([seen, cells], dim=1))))
        return logits[:, 0]


class StampNetwork(nn.Module):
    """VAE, classifier and novelty head on one encoder."""

    def __init__(self) -> None:
        super().__init__()
        self.vae = StampVae()
        self.head = StampHead(self.vae.coarse)
        self.novelty = NoveltyHead(self.head.size)

    def contribution(self, stamps: Tensor, mask: Tensor, latent: Tensor) -> Tensor:
        """Return each valid pixel's deviance from the reconstruction of a latent, (b, 3, 63, 63)."""
        mean, log_precision = self.vae.decode(latent)
        chi = (stamps - mean) * torch.exp(log_precision)
        cost = 2.0 * MAX_LOG_PRECISION - 2.0 * log_precision
        return mask * ((chi * chi).clamp(max=LARGEST_CHI2) + cost)


class ExportedStamps(nn.Module):
    """The graph of the bundle: role ``image_anomaly`` of ``classifiers.engine``, deterministic (the posterior's mean).

    A pixel's deviance is its squared residual in predicted sigmas, at most ``LARGEST_CHI2``, plus 2 ln(sigma / smallest
    sigma). The second term is what an uncertain prediction costs: without it a network that
    expects anything of a strange stamp finds nothing strange. (On injected events the AUROC of streaks is 0.92 with it,
    0.62 without; of bad columns 0.85 and 0.55; simulations only.) Its weighted mean over valid pixels is the deviance
    of the alert: an alert is about the middle of its difference image, and an unweighted mean of 12,000 pixels drowns
    50 unusual ones in the noise of the sky. ``score`` adds -2 ln P(known) of the novelty head. Deviance alone ranks an
    alert below itself with an event, but bright stars and saturation, which are known, reach higher than most events
    do: at a rate of 1 % it found 1 % of the streaks. ``contribution`` is what each pixel adds to the alert's deviance.
    ``map`` is a fixed linear projection of the latent. Sums over
    pixels are matrix products, whose result does not depend on the other rows of a batch.
    """

    NAMES = ("score", "contribution", "map", "class_logits")

    def __init__(self, network: StampNetwork, projection: Tensor, offset: Tensor) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("projection", projection)
        self.register_buffer("offset", offset)
        self.register_buffer("weights", score_weights().reshape(-1, 1))

    def forward(self, stamps: Tensor, mask: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return score (b,), contribution (b, 3, 63, 63), map (b, 2) and class logits (b, 4)."""
        vae = self.network.vae
        features = vae.features(stamps, mask)
        latent = vae.posterior(features).mean
        contribution = self.network.contribution(stamps, mask, latent)
        weights = cast(Tensor, self.weights)
        total = (mask.flatten(1) @ weights).clamp(min=1e-3)
        deviance = (contribution.flatten(1) @ weights) / total
        shown = contribution * weights.reshape(1, *contribution.shape[1:]) / total[:, :, None, None]
        place = latent.flatten(1) @ cast(Tensor, self.projection) + cast(Tensor, self.offset)
        seen = self.network.head.seen(stamps, features)
        unlike = self.network.novelty(seen, contribution)
        return deviance[:, 0] + 2.0 * functional.softplus(unlike), shown, place, self.network.head(seen)


def score_weights() -> Tensor:
    """Return the pixels' weights in the score, (3, 63, 63): a Gaussian on the middle above a floor."""
    distance = torch.arange(SIDE, dtype=torch.float32) - SIDE // 2
    radial = torch.exp(-(distance[:, None] ** 2 + distance[None, :] ** 2) / (2 * WEIGHT_SIGMA_PIXELS**2))
    return torch.tensor(IMAGE_WEIGHTS)[:, None, None] * (WEIGHT_FLOOR + radial)
