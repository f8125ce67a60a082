"""The network of the narrow-band quasar finder: one posterior over kind and redshift, and a reconstruction.

A softmax over 93 bins of quasar redshift, 57 of galaxy redshift and one for stars is trained as a whole; the classes
are sums of bins, so that P(QSO), P(z >= 2.1) and the redshifts can never contradict each other. A decoder behind a
narrow bottleneck says what fluxes the network can explain, and how well: the reduced chi-square of what is left is the
novelty score.

Sums over an axis are matrix products with a column of ones (``classifiers.runtimes.independence``).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from classifiers.networks.declared import BANDS, NARROWBAND_OUTPUTS, REDSHIFT_THRESHOLD

HIDDEN, BLOCKS, BOTTLENECK, DECODER = 200, 3, 16, 96
QSO_BIN, LOW_Z_BINS, HIGH_Z_BINS = 0.02, 55, 38
"""Width in ln(1 + z), and the number of bins below and from z = 2.1 on, at which a bin begins: z = 0.03 to 5.6."""
GALAXY_BIN, GALAXY_BINS = 0.015, 57
QSO_BINS = LOW_Z_BINS + HIGH_Z_BINS
OUTPUTS = QSO_BINS + GALAXY_BINS + 1
_QSO_START = math.log1p(REDSHIFT_THRESHOLD) - LOW_Z_BINS * QSO_BIN
_RELATIVE_ERROR, _ABSOLUTE_ERROR = 0.04, 0.02
"""Least uncertainty of a reconstruction, of its value and of the row's scale: what zero points and templates owe."""
_LARGEST_LOG_VARIANCE = 4.0
_WINDOW = 3
_RADII, _N_RADII, _ONE_SIGMA = (1e-3, 2.0), 48, 0.6827
"""Distances in ln(1 + z) among which a redshift's error is found: 17 % apart."""


def target_bins(kind: NDArray[np.int64], redshift: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the bin of sources by kind (0 QSO, 1 GALAXY, 2 STAR) and redshift: (n,) int64 below ``OUTPUTS``."""
    logarithm = np.log1p(redshift)
    # the edge at z = 2.1 decides the class, so it is taken from the redshift itself
    low = np.clip((logarithm - _QSO_START) / QSO_BIN, 0, LOW_Z_BINS - 1e-9)
    high = np.clip((logarithm - math.log1p(REDSHIFT_THRESHOLD)) / QSO_BIN, 0, HIGH_Z_BINS - 1e-9) + LOW_Z_BINS
    quasar = np.where(redshift >= REDSHIFT_THRESHOLD, high, low)
    galaxy = np.clip(logarithm / GALAXY_BIN, 0, GALAXY_BINS - 1e-9) + QSO_BINS
    star = np.full(kind.shape, OUTPUTS - 1.0)
    chosen = [quasar, galaxy, star]
    return np.asarray(np.choose(kind, chosen), dtype=np.float64).astype(np.int64)


class NarrowbandNet(nn.Module):
    """Channels, residual multilayer perceptron, posterior over bins and decoder."""

    def __init__(self) -> None:
        super().__init__()
        self.read = nn.Linear(3 * BANDS, HIDDEN)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.LayerNorm(HIDDEN), nn.Linear(HIDDEN, HIDDEN), nn.SiLU()) for _ in range(BLOCKS)
        )
        self.norm = nn.LayerNorm(HIDDEN)
        self.posterior = nn.Linear(HIDDEN, OUTPUTS)
        self.decoder = nn.Sequential(
            nn.Linear(HIDDEN, BOTTLENECK), nn.Linear(BOTTLENECK, DECODER), nn.SiLU(), nn.Linear(DECODER, 2 * BANDS)
        )

    def forward(self, flux: Tensor, inverse_variance: Tensor) -> tuple[Tensor, Tensor]:
        """Return log posterior but for a constant (b, 151), and the decoder's flux and log variance (b, 112).

        Args:
            flux: (b, 56) normalised, 0 where masked.
            inverse_variance: (b, 56), 0 where masked.
        """
        valid = (inverse_variance > 0).to(flux.dtype)
        significance = flux * torch.sqrt(inverse_variance)
        precision = torch.log10(inverse_variance.clamp(1e-4, 1e6)) * 0.25
        channels = torch.cat(
            [torch.asinh(2.0 * flux), 0.3 * torch.asinh(significance), precision * valid - 2.0 * (1.0 - valid)], dim=1
        )
        hidden = self.read(channels)
        for block in self.blocks:
            hidden = hidden + block(hidden)
        hidden = self.norm(hidden)
        return self.posterior(hidden), self.decoder(hidden)


class Residuals(NamedTuple):
    """Squared residuals in sigmas and log variance [nat] of each band, both (b, 56), 0 where masked."""

    chi2: Tensor
    log_variance: Tensor


def residuals(flux: Tensor, inverse_variance: Tensor, decoded: Tensor) -> Residuals:
    """Return what the decoder leaves unexplained.

    Args:
        flux: (b, 56) normalised, 0 where masked.
        inverse_variance: (b, 56), 0 where masked.
        decoded: (b, 112), flux and log variance of the decoder itself.
    """
    valid = (inverse_variance > 0).to(flux.dtype)
    expected, spread = decoded[:, :BANDS], torch.exp(decoded[:, BANDS:].clamp(-12.0, _LARGEST_LOG_VARIANCE))
    floor = (_RELATIVE_ERROR * expected) ** 2 + _ABSOLUTE_ERROR**2
    variance = 1.0 / inverse_variance.clamp(min=1e-6) + floor + spread
    return Residuals(valid * (flux - expected) ** 2 / variance, valid * torch.log(variance))


class ExportedNarrowband(nn.Module):
    """The graph of the bundle: role ``narrowband`` of ``classifiers.engine``."""

    NAMES = NARROWBAND_OUTPUTS

    def __init__(self, net: NarrowbandNet) -> None:
        super().__init__()
        self.net = net
        quasar = _QSO_START + QSO_BIN * (torch.arange(QSO_BINS) + 0.5)
        galaxy = GALAXY_BIN * (torch.arange(GALAXY_BINS) + 0.5)
        self.register_buffer("quasar", quasar)
        self.register_buffer("galaxy", galaxy)
        radii = torch.logspace(math.log10(_RADII[0]), math.log10(_RADII[1]), _N_RADII)
        self.register_buffer("radii", radii)
        self.register_buffer("steps", torch.diff(radii, append=2 * radii[-1:] - radii[-2:-1])[:, None])
        self.register_buffer("ones", torch.ones(max(BANDS, QSO_BINS), 1))

    def forward(self, flux: Tensor, inverse_variance: Tensor) -> tuple[Tensor, ...]:
        """Return the outputs ``NAMES``."""
        logits, decoded = self.net(flux, inverse_variance)
        low, high = logits[:, :LOW_Z_BINS], logits[:, LOW_Z_BINS:QSO_BINS]
        galaxy, star = logits[:, QSO_BINS : OUTPUTS - 1], logits[:, OUTPUTS - 1 :]
        classes = torch.cat(
            [torch.logsumexp(part, dim=1, keepdim=True) for part in (low, high, galaxy)] + [star], dim=1
        )
        z_qso, error_qso = self._redshift(logits[:, :QSO_BINS], self._buffer("quasar"), QSO_BIN)
        z_galaxy, error_galaxy = self._redshift(galaxy, self._buffer("galaxy"), GALAXY_BIN)
        as_galaxy = classes[:, 2] > torch.maximum(classes[:, 0], classes[:, 1])
        contribution = residuals(flux, inverse_variance, decoded).chi2
        ones = self._buffer("ones")[:BANDS]
        valid = (inverse_variance > 0).to(flux.dtype) @ ones
        score = (contribution @ ones) / valid.clamp(min=1.0)
        return (
            classes,
            torch.where(as_galaxy, z_galaxy, z_qso),
            torch.where(as_galaxy, error_galaxy, error_qso),
            z_qso,
            error_qso,
            score[:, 0],
            contribution,
        )

    def _redshift(self, logits: Tensor, centres: Tensor, width: float) -> tuple[Tensor, Tensor]:
        """Return the mean within three bins of the peak, and the distance from it that holds 68.27 % of the posterior.

        A second peak far away widens that distance only when it is likely; a standard deviation it would rule.
        """
        probability = torch.softmax(logits, dim=1)
        peak = probability.argmax(dim=1, keepdim=True)
        near = (torch.arange(centres.shape[0], device=centres.device)[None, :] - peak).abs() <= _WINDOW
        ones = self._buffer("ones")[: centres.shape[0]]
        windowed = probability * near.to(probability.dtype)
        mean = ((windowed * centres) @ ones) / (windowed @ ones)
        radii = self._buffer("radii")
        distance = (centres[None, :] - mean).abs()
        within = ((radii - distance[:, :, None]) / width + 0.5).clamp(0.0, 1.0)  # share of each bin inside each radius
        held = (probability[:, None, :] @ within)[:, 0, :]
        radius = radii[:1] + (held < _ONE_SIGMA).to(held.dtype) @ self._buffer("steps")
        growth = torch.exp(mean)
        return (growth - 1.0)[:, 0], (growth * radius)[:, 0]

    def _buffer(self, name: str) -> Tensor:
        return self.get_buffer(name)
