"""Fitting of the three spectral networks on simulated samples; deterministic for a seed and a number of threads."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from classifiers.training.networks.channels import normalise
from classifiers.training.networks.classifier import GALAXY_BIN, QSO_BIN, SpectralClassifier
from classifiers.training.networks.qso import REDSHIFT_THRESHOLD, QsoFinder
from classifiers.training.networks.vae import ExportedVae, SpectralVae, binned_chi_square, chi_square
from classifiers.training.samples import Samples
from classifiers.training.simulation.scheme import KINDS

Progress = Callable[[str, float], None]
BATCH = 256
_CONTINUUM_DROPPED = 0.12
_REDSHIFT_BLUR_BINS = 0.7
_QUASAR_CARE = 3.0  # quasars are the most diverse of the known, and were flagged three times as often as the others
_SPARE_STEPS = 1  # a schedule whose rise takes exactly one step divides by zero
_BAL_REDSHIFT = 1.5
_GALAXY, _QSO, _OTHER, _NOVEL = (KINDS.index(name) for name in ("GALAXY", "QSO", "OTHER", "NOVEL"))


class Epochs:
    """Shuffled batches over all epochs, with a one-cycle learning rate and progress."""

    def __init__(
        self, network: nn.Module, samples: Samples, seed: int, epochs: int, rate: float, progress: Progress | None
    ) -> None:
        self._samples = samples
        self._rng = np.random.default_rng((seed, 1))
        self._epochs, self._progress = epochs, progress
        self._batches = max(1, len(samples) // BATCH)
        self._network = network
        self._optimiser = torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=0.02)
        self._schedule = torch.optim.lr_scheduler.OneCycleLR(
            self._optimiser, max_lr=rate, total_steps=epochs * self._batches + _SPARE_STEPS, pct_start=0.2
        )
        self.losses: list[float] = []

    def __iter__(self) -> Iterator[Samples]:
        """Yield batches; call ``step`` with the loss of each."""
        for epoch in range(self._epochs):
            order = self._rng.permutation(len(self._samples))
            for batch in range(self._batches):
                if self._progress is not None:
                    done = (epoch * self._batches + batch) / (self._epochs * self._batches)
                    self._progress(f"epoch {epoch + 1}/{self._epochs}", done)
                yield self._samples.rows(order[batch * BATCH : (batch + 1) * BATCH])

    def step(self, loss: Tensor) -> None:
        """Descend along one loss."""
        self._optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(self._network.parameters(), 2.0)
        self._optimiser.step()
        self._schedule.step()
        self.losses.append(float(loss.detach()))


def tensors(samples: Samples) -> tuple[Tensor, Tensor]:
    """Return flux and inverse variance of a batch as float32 tensors."""
    flux, inverse_variance = samples.inputs()
    return torch.from_numpy(flux), torch.from_numpy(inverse_variance)


def fit_classifier(samples: Samples, seed: int, epochs: int, progress: Progress | None = None) -> SpectralClassifier:
    """Fit the Bayesian classifier.

    Args:
        samples: simulated training set.
        seed: of initial weights, bootstrap weights, batches and augmentation.
        epochs: passes over the samples.
        progress: called with the epoch and the fraction done.
    """
    torch.manual_seed(seed)
    network = SpectralClassifier()
    bootstrap = torch.from_numpy(
        np.random.default_rng((seed, 2)).exponential(size=(len(samples), network.members)).astype(np.float32)
    )
    generator = torch.Generator().manual_seed(seed)
    indexed = _indexed(samples)
    run = Epochs(network, indexed, seed, epochs, 3e-3, progress)
    for batch in run:
        channels = _augmented(network.channels(*tensors(batch)), generator)
        logits, galaxy, quasar, other, novel = network.member_logits(channels)
        target = torch.from_numpy(batch.class_target)  # all 0 for what is made up: it teaches no class
        weights = bootstrap[torch.from_numpy(batch.snr.astype(np.int64))].T
        likelihood = -(target[None] * functional.log_softmax(logits, dim=2)).sum(dim=2)
        loss = (weights * likelihood).mean()
        loss = loss + 0.3 * _redshift_loss(galaxy, batch, _GALAXY, GALAXY_BIN)
        loss = loss + 0.3 * _redshift_loss(quasar, batch, _QSO, QSO_BIN)
        made_up = torch.from_numpy((batch.kind == _NOVEL).astype(np.float32))
        care = torch.from_numpy(np.where(batch.kind == _QSO, _QUASAR_CARE, 1.0).astype(np.float32))
        loss = loss + 0.5 * functional.binary_cross_entropy_with_logits(novel, made_up, weight=care)
        outside = torch.from_numpy(np.flatnonzero(batch.kind == _OTHER))
        if len(outside):
            types = torch.from_numpy(batch.other_type)[outside]
            loss = loss + 0.2 * functional.cross_entropy(other[outside], types)
        run.step(loss)
    return network.eval()


def _indexed(samples: Samples) -> Samples:
    """Return the samples with their row number in the unused column ``snr``, by which bootstrap weights are found."""
    columns = {name: getattr(samples, name) for name in samples.__dataclass_fields__}
    columns["snr"] = np.arange(len(samples), dtype=np.float64)
    return Samples(**columns)


def _augmented(channels: Tensor, generator: torch.Generator) -> Tensor:
    """Zero the continuum channel of some rows, so that lines alone must do."""
    kept = torch.rand(channels.shape[0], generator=generator) >= _CONTINUUM_DROPPED
    mask = torch.ones(channels.shape[0], 3, 1)
    mask[:, 0, 0] = kept.float()
    return channels * mask


def _redshift_loss(logits: Tensor, batch: Samples, kind: int, bin_width: float) -> Tensor:
    """Cross-entropy against the true bin blurred by a Gaussian, over the rows of one kind."""
    rows = torch.from_numpy(np.flatnonzero(batch.kind == kind))
    if len(rows) == 0:
        return logits.sum() * 0.0
    position = torch.from_numpy(np.log1p(batch.redshift) / bin_width).float()[rows, None]
    bins = torch.arange(logits.shape[1], dtype=torch.float32)[None, :]
    target = torch.softmax(-0.5 * ((bins - position) / _REDSHIFT_BLUR_BINS) ** 2, dim=1)
    share = len(rows) / logits.shape[0]
    return -share * (target * functional.log_softmax(logits[rows], dim=1)).sum(dim=1).mean()


def fit_qso(
    samples: Samples, classifier: SpectralClassifier, seed: int, epochs: int, progress: Progress | None = None
) -> QsoFinder:
    """Fit the QSO finder on the trunk of a fitted classifier, which stays as it is; arguments as there."""
    torch.manual_seed(seed)
    known = samples.rows(np.flatnonzero(samples.kind != _NOVEL))
    network = QsoFinder(classifier)
    generator = torch.Generator().manual_seed(seed)
    run = Epochs(network, known, seed, epochs, 3e-3, progress)
    for batch in run:
        logits, _ = network.logits(_augmented(network.channels(*tensors(batch)), generator))
        is_qso = torch.from_numpy((batch.kind == _QSO).astype(np.float32))
        high = torch.from_numpy((batch.redshift >= REDSHIFT_THRESHOLD).astype(np.float32))
        absorbed = torch.from_numpy(batch.broad_absorption.astype(np.float32))
        seen = is_qso * torch.from_numpy((batch.redshift > _BAL_REDSHIFT).astype(np.float32))
        plain = functional.binary_cross_entropy_with_logits
        loss = plain(logits[:, 0], is_qso) + plain(logits[:, 1], high, weight=is_qso)
        loss = loss + plain(logits[:, 2], absorbed, weight=seen)
        run.step(loss)
    return network.eval()


def fit_vae(samples: Samples, seed: int, epochs: int, progress: Progress | None = None) -> ExportedVae:
    """Fit the autoencoder on the known classes alone, then fix the map; arguments as in ``fit_classifier``."""
    torch.manual_seed(seed)
    known = samples.rows(np.flatnonzero((samples.kind != _OTHER) & (samples.kind != _NOVEL)))
    network = SpectralVae()
    generator = torch.Generator().manual_seed(seed)
    run = Epochs(network, known, seed, epochs, 2e-3, progress)
    for batch in run:
        x, significance = normalise(*tensors(batch))
        mean, log_variance = network.encode(x, significance)
        latent = mean + torch.exp(0.5 * log_variance) * torch.randn(mean.shape, generator=generator)
        reconstruction = network.decode(latent)
        # Student-t likelihoods (nu = 4) keep lines that the latent space cannot hold from ruling the fit.
        likelihood = 2.5 * torch.log1p(chi_square(x, significance, reconstruction) / 4.0).sum(dim=1)
        binned = binned_chi_square(x, significance, reconstruction)
        likelihood = likelihood + 2.5 * torch.log1p(binned / 4.0).sum(dim=1)
        divergence = 0.5 * (mean**2 + torch.exp(log_variance) - 1.0 - log_variance).sum(dim=1)
        run.step((likelihood + divergence).mean() / 1000.0)
    network.eval()
    with torch.no_grad():
        latent = network.encode(*normalise(*tensors(known.rows(slice(0, 8192)))))[0]
    centre, projection = principal_plane(latent)
    return ExportedVae(network, centre, projection).eval()


def principal_plane(latent: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mean (d,) and a (d, 2) projection to the two main axes, unit variance, signs fixed."""
    centre = latent.mean(dim=0)
    _, _, axes = torch.linalg.svd(latent - centre, full_matrices=False)
    plane = axes[:2].T
    plane = plane * torch.sign(plane.gather(0, plane.abs().argmax(dim=0, keepdim=True)))
    spread = torch.clamp(((latent - centre) @ plane).std(dim=0), min=1e-6)
    return centre, plane / spread
