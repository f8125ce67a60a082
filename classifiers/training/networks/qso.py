"""QSO finder: P(QSO), P(z above the threshold | QSO), broad absorption and redshift, from a trunk of its own."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from classifiers.training.networks.channels import Channels
from classifiers.training.networks.classifier import QSO_BIN, QSO_BINS, QSO_MAPS, QSO_WINDOW
from classifiers.training.networks.correlation import Correlation, evidence, peaks
from classifiers.training.networks.trunk import RowConvolution, Trunk

REDSHIFT_THRESHOLD = 2.1
_BLOCK = 16


class QsoFinder(nn.Module):
    """Trained with ``logits``; exported as ``ExportedQsoFinder``."""

    def __init__(self, widths: tuple[int, int, int] = (12, 20, 32), hidden: int = 48) -> None:
        super().__init__()
        self.widths = widths
        self.channels = Channels()
        self.trunk = Trunk(widths, residual=(False, False, False))
        self.maps = RowConvolution(widths[1], QSO_MAPS, 1)
        self.correlation = Correlation(QSO_MAPS, Trunk.COARSE, QSO_BINS)
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
        self.network = _blocked(network)

    def forward(self, flux: Tensor, inverse_variance: Tensor) -> tuple[Tensor, ...]:
        """Compute the five outputs, (b,) each; inputs (b, 1557) float32."""
        logits, scores = self.network.logits(self.network.channels(flux, inverse_variance))
        position, spread, _, _, _ = peaks(scores, QSO_WINDOW)
        redshift = torch.exp(position * QSO_BIN) - 1.0
        error = (1.0 + redshift) * QSO_BIN * (spread + 0.05)
        return logits[:, 0], logits[:, 1], logits[:, 2], redshift, error


def _blocked(network: QsoFinder) -> QsoFinder:
    """Return the same function with channels of zeros up to multiples of 16.

    onnxruntime blocks channels by 16 (AVX-512), and leaves that layout before a convolution whose channels are no
    multiple: that layer takes 14 us a spectrum with the additional channels, 28 us without.
    """
    widths = [math.ceil(width / _BLOCK) * _BLOCK for width in network.widths]
    wide = QsoFinder((widths[0], widths[1], widths[2]), network.dense.out_features)
    state = wide.state_dict()
    for name, values in network.state_dict().items():
        grown = torch.zeros_like(state[name])
        grown[tuple(slice(size) for size in values.shape)] = values
        state[name] = grown
    wide.load_state_dict(state)
    return wide
