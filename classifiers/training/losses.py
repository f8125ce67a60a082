"""Losses of the three spectral networks, each with the parts that it is the sum of."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from classifiers.networks.channels import normalise
from classifiers.networks.declared import GALAXY_BIN, QSO_BIN
from classifiers.networks.vae import Residual, SpectralVae, bin_residual, pixel_residual
from classifiers.training.devices import Device, tensor_on
from classifiers.training.journal.history import TOTAL
from classifiers.training.samples import Samples
from classifiers.training.simulation.scheme import KINDS

Terms = dict[str, Tensor]
_REDSHIFT_BLUR_BINS = 0.7
_QUASAR_CARE = 3.0  # quasars are the most diverse of the known, and were flagged three times as often as the others
_BAL_REDSHIFT = 1.5
_NU = 10.0  # of the Student-t distribution of residuals
_SCALE = 1e-3  # of the autoencoder's loss, which is a sum over pixels
_GALAXY, _QSO, _OTHER, _NOVEL = (KINDS.index(name) for name in ("GALAXY", "QSO", "OTHER", "NOVEL"))


def tensors(samples: Samples, device: Device) -> tuple[Tensor, Tensor]:
    """Return flux and inverse variance of a batch as float32 tensors on a device."""
    flux, inverse_variance = samples.inputs()
    return tensor_on(device, flux), tensor_on(device, inverse_variance)


def classifier_loss(answers: tuple[Tensor, ...], batch: Samples, bootstrap: Tensor | None = None) -> Terms:
    """Return the loss of the Bayesian classifier and its parts, scalars.

    Args:
        answers: of ``SpectralClassifier.member_logits`` to the batch, on any device.
        batch: b samples.
        bootstrap: (members, b) weights of the samples, where the answers are; None weighs all alike.
    """
    logits, galaxy, quasar, other, novel = answers
    device = logits.device
    target = tensor_on(device, batch.class_target)  # all 0 for what is made up: it teaches no class
    likelihood = -(target[None] * functional.log_softmax(logits, dim=2)).sum(dim=2)
    classes = likelihood.mean() if bootstrap is None else (bootstrap * likelihood).mean()
    parts = {"classes": classes}
    parts["galaxy redshift"] = 0.3 * _redshift_loss(galaxy, batch, _GALAXY, GALAXY_BIN)
    parts["QSO redshift"] = 0.3 * _redshift_loss(quasar, batch, _QSO, QSO_BIN)
    made_up = tensor_on(device, (batch.kind == _NOVEL).astype(np.float32))
    care = tensor_on(device, np.where(batch.kind == _QSO, _QUASAR_CARE, 1.0).astype(np.float32))
    parts["novelty"] = 0.5 * functional.binary_cross_entropy_with_logits(novel, made_up, weight=care)
    outside = tensor_on(device, np.flatnonzero(batch.kind == _OTHER))
    if len(outside):
        types = tensor_on(device, batch.other_type)[outside]
        parts["other type"] = 0.2 * functional.cross_entropy(other[outside], types)
    else:
        parts["other type"] = torch.zeros((), device=device)
    return _summed(parts)


def _redshift_loss(logits: Tensor, batch: Samples, kind: int, bin_width: float) -> Tensor:
    """Cross-entropy against the true bin blurred by a Gaussian, over the rows of one kind."""
    rows = tensor_on(logits.device, np.flatnonzero(batch.kind == kind))
    if len(rows) == 0:
        return logits.sum() * 0.0
    position = tensor_on(logits.device, np.log1p(batch.redshift) / bin_width).float()[rows, None]
    bins = torch.arange(logits.shape[1], dtype=torch.float32, device=logits.device)[None, :]
    target = torch.softmax(-0.5 * ((bins - position) / _REDSHIFT_BLUR_BINS) ** 2, dim=1)
    share = len(rows) / logits.shape[0]
    return -share * (target * functional.log_softmax(logits[rows], dim=1)).sum(dim=1).mean()


def qso_loss(logits: Tensor, batch: Samples) -> Terms:
    """Return the loss of the QSO finder and its parts, scalars.

    Args:
        logits: (b, 2) of ``QsoFinder.logits``, on any device.
        batch: b samples.
    """
    device = logits.device
    is_qso = tensor_on(device, (batch.kind == _QSO).astype(np.float32))
    absorbed = tensor_on(device, batch.broad_absorption.astype(np.float32))
    seen = is_qso * tensor_on(device, (batch.redshift > _BAL_REDSHIFT).astype(np.float32))
    plain = functional.binary_cross_entropy_with_logits
    return _summed(
        {
            "QSO": plain(logits[:, 0], is_qso),
            "broad absorption": plain(logits[:, 1], absorbed, weight=seen),
        }
    )


def vae_loss(network: SpectralVae, batch: Samples, shift: Tensor, generator: torch.Generator | None = None) -> Terms:
    """Return minus the evidence lower bound of the autoencoder, in thousands of nats, and its parts.

    Args:
        network: whose loss.
        batch: b samples.
        shift: (b, 1) at which they are drawn, as the network reads it [pixels]; on the network's device.
        generator: source of the latent's noise, of the host; None takes the latent's mean.
    """
    x, significance = normalise(*tensors(batch, shift.device))
    mean, log_variance = network.encode(x, significance, shift)
    latent = mean
    if generator is not None:
        latent = mean + torch.exp(0.5 * log_variance) * torch.randn(mean.shape, generator=generator).to(mean.device)
    drawn = network.decode(latent, shift)
    pixels = _improbable(pixel_residual(x, significance, drawn, shift, network.pixel_floors))
    bins = _improbable(bin_residual(x, significance, drawn, shift, network.bin_floors))
    divergence = 0.5 * (mean**2 + torch.exp(log_variance) - 1.0 - log_variance).sum(dim=1)
    loss = (pixels + bins + divergence).mean() / 1000.0
    parts = {"pixels": pixels, "bins of 9 pixels": bins, "divergence": divergence}
    return {TOTAL: loss, **{name: _SCALE * part.detach().mean() for name, part in parts.items()}}


def _improbable(residual: Residual) -> Tensor:
    """Return minus the log likelihood, but for a constant, of Student-t distributed residuals of each row, (b,)."""
    tail = 0.5 * (_NU + 1.0) * torch.log1p(residual.chi2 / _NU)
    return (tail + 0.5 * torch.log(residual.widened)).sum(dim=1)


def _summed(parts: Terms) -> Terms:
    """Return the parts, and their sum in their order as the whole loss."""
    first, *others = parts.values()
    total = first
    for part in others:
        total = total + part
    return {TOTAL: total, **{name: part.detach() for name, part in parts.items()}}
