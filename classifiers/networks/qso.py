"""QSO finder: P(QSO), P(z above a threshold | QSO), broad absorption and redshift, on the classifier's trunk.

Trunk and redshift are those of a trained ``SpectralClassifier``, frozen: a runtime that holds both graphs together
computes them once. P(z above a threshold | QSO) is the part of the classifier's redshift posterior above it, so any
threshold can be declared without training; a head trained for 2.1 alone was worse there (on 4,096 held-out simulated
quasars its negative log likelihood was 0.071 against 0.032, and 2.6 % against 1.2 % were on the wrong side).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from classifiers.networks.channels import row_sum
from classifiers.networks.classifier import SpectralClassifier
from classifiers.networks.correlation import evidence, peaks
from classifiers.networks.declared import QSO_BIN, QSO_OUTPUTS, REDSHIFT_THRESHOLD, SURVEY_THRESHOLDS
from classifiers.networks.reading import QSO_WINDOW

_LEAST = 1e-6  # of a probability


class QsoFinder(nn.Module):
    """Trained with ``logits``; exported as ``ExportedQsoFinder``."""

    def __init__(self, classifier: SpectralClassifier, hidden: int = 48) -> None:
        super().__init__()
        self.channels, self.trunk = classifier.channels, classifier.trunk
        self.maps, self.correlation = classifier.quasar_maps, classifier.quasar
        for shared in (self.trunk, self.maps, self.correlation):
            shared.requires_grad_(False)  # noqa: FBT003 - torch's own signature
        self.dense = nn.Linear(self.trunk.vector_size, hidden)
        self.head = nn.Linear(hidden + 2, 2)

    def logits(self, channels: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits (b, 2) of QSO and broad absorption, and redshift logits (b, bins)."""
        _, coarse, vector = self.trunk(channels)
        redshift = self.correlation(self.maps(coarse))
        return self.answers(vector, redshift), redshift

    def answers(self, vector: Tensor, redshift: Tensor) -> Tensor:
        """Return logits (b, 2) of QSO and broad absorption from the trunk's vector and redshift logits (b, bins)."""
        scores = torch.stack(evidence(redshift), dim=1)
        hidden = torch.relu(self.dense(vector))
        logits: Tensor = self.head(torch.cat([hidden, 0.1 * scores], dim=1))
        return logits


def beyond(redshift_logits: Tensor, threshold: float) -> Tensor:
    """Return the logit of P(z >= threshold | QSO), (b,): of the posterior above it, the bin that holds it in parts.

    Args:
        redshift_logits: (b, bins); bin i is centred on ln(1 + z) = i ``QSO_BIN``.
        threshold: redshift.
    """
    probability = torch.softmax(redshift_logits, dim=1)
    bins = torch.arange(probability.shape[1], device=probability.device, dtype=probability.dtype)
    above = torch.clamp(bins + 0.5 - math.log1p(threshold) / QSO_BIN, 0.0, 1.0)
    high, low = row_sum(probability * above), row_sum(probability * (1.0 - above))
    return (torch.log(torch.clamp(high, min=_LEAST)) - torch.log(torch.clamp(low, min=_LEAST)))[:, 0]


class ExportedQsoFinder(nn.Module):
    """The graph: flux and inverse variance to ``NAMES``; (b,), but ``survey_high_z_logit`` (b, surveys)."""

    NAMES = QSO_OUTPUTS

    def __init__(self, network: QsoFinder) -> None:
        super().__init__()
        self.network = network

    def forward(self, flux: Tensor, inverse_variance: Tensor) -> tuple[Tensor, ...]:
        """Compute the outputs; inputs (b, 1557) float32."""
        return self.answers(*self.network.logits(self.network.channels(flux, inverse_variance)))

    def answers(self, logits: Tensor, scores: Tensor) -> tuple[Tensor, ...]:
        """Compute the outputs of what the network says: logits (b, 2) and redshift logits (b, bins)."""
        position, spread, _, _, _ = peaks(scores, QSO_WINDOW)
        redshift = torch.exp(position * QSO_BIN) - 1.0
        error = (1.0 + redshift) * QSO_BIN * (spread + 0.05)
        high = beyond(scores, REDSHIFT_THRESHOLD)
        surveys = torch.stack([beyond(scores, threshold) for threshold in SURVEY_THRESHOLDS.values()], dim=1)
        return logits[:, 0], high, logits[:, 1], redshift, error, surveys
