"""QSO finder: P(QSO), P(z above the threshold | QSO), broad absorption and redshift, on the classifier's trunk.

Trunk and redshift are those of a trained ``SpectralClassifier``, frozen: a runtime that holds both graphs together
computes them once.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from classifiers.training.networks.classifier import QSO_BIN, QSO_WINDOW, SpectralClassifier
from classifiers.training.networks.correlation import evidence, peaks

REDSHIFT_THRESHOLD = 2.1


class QsoFinder(nn.Module):
    """Trained with ``logits``; exported as ``ExportedQsoFinder``."""

    def __init__(self, classifier: SpectralClassifier, hidden: int = 48) -> None:
        super().__init__()
        self.channels, self.trunk = classifier.channels, classifier.trunk
        self.maps, self.correlation = classifier.quasar_maps, classifier.quasar
        for shared in (self.trunk, self.maps, self.correlation):
            shared.requires_grad_(False)  # noqa: FBT003 - torch's own signature
        self.dense = nn.Linear(self.trunk.vector_size, hidden)
        self.head = nn.Linear(hidden + 2, 3)

    def logits(self, channels: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits (b, 3) of QSO, high redshift and broad absorption, and redshift logits (b, bins)."""
        _, coarse, vector = self.trunk(channels)
        redshift = self.correlation(self.maps(coarse))
        scores = torch.stack(evidence(redshift), dim=1)
        hidden = torch.relu(self.dense(vector))
        return self.head(torch.cat([hidden, 0.1 * scores], dim=1)), redshift


class ExportedQsoFinder(nn.Module):
    """The graph: flux and inverse variance to ``NAMES``."""

    NAMES = ("qso_logit", "high_z_logit", "bal_logit", "redshift_qso", "redshift_qso_error")

    def __init__(self, network: QsoFinder) -> None:
        super().__init__()
        self.network = network

    def forward(self, flux: Tensor, inverse_variance: Tensor) -> tuple[Tensor, ...]:
        """Compute the five outputs, (b,) each; inputs (b, 1557) float32."""
        logits, scores = self.network.logits(self.network.channels(flux, inverse_variance))
        position, spread, _, _, _ = peaks(scores, QSO_WINDOW)
        redshift = torch.exp(position * QSO_BIN) - 1.0
        error = (1.0 + redshift) * QSO_BIN * (spread + 0.05)
        return logits[:, 0], logits[:, 1], logits[:, 2], redshift, error
