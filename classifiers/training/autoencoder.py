"""Fitting of the autoencoder on simulated spectra of known classes, at the redshifts that a classifier's trunk reads.

The trunk stays as it is, so what it reads of each spectrum is read once, before the first batch. Which kind of redshift
to take is fitted on that as well, by the truth, and then stays, too.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from classifiers.networks.channels import normalise
from classifiers.networks.classifier import SpectralClassifier
from classifiers.networks.vae import LARGEST_CHI2, SpectralVae, bin_residual, score
from classifiers.training.devices import CPU, Device, full_precision
from classifiers.training.epochs import BATCH, Epochs, Kept, Progress, batches, floats, indexed, known_classes, measured
from classifiers.training.journal.history import HeldOut, joined, same_distribution
from classifiers.training.losses import tensors, vae_loss
from classifiers.training.samples import Samples

_RATE = 3e-3
_KIND_EPOCHS, _KIND_BATCH, _KIND_RATE = 2, 512, 2e-3


class WhatIsRead(NamedTuple):
    """Of n spectra: shifts (n, 3) as ``SpectralVae.shifts`` gives them, and the trunk's vectors (n, size), float16.

    Both lie in the host's memory.
    """

    shifts: Tensor
    vectors: Tensor


@full_precision()
def fit_vae(
    samples: Samples,
    classifier: SpectralClassifier,
    seed: int,
    epochs: int,
    progress: Progress | None = None,
    kept: Kept | None = None,
    device: Device = CPU,
) -> SpectralVae:
    """Fit the autoencoder on the trunk of a fitted classifier, which stays as it is; arguments as in ``fit_qso``."""
    torch.manual_seed(seed)
    known = known_classes(samples)
    network = SpectralVae()
    network.read_as(classifier)
    network.to(device)
    generator = torch.Generator().manual_seed(seed)

    @cache
    def shift() -> Tensor:
        """Read the spectra once they are needed; a training that is resumed has its kinds from the checkpoint."""
        read = _read(network, known, device, progress)
        if kept is None or kept.journal.resumed_epochs == 0:
            _fit_kind(network, read.vectors, torch.from_numpy(known.kind), seed, device)
        return _chosen(network, read, device)

    def measure(held_out: Samples) -> HeldOut:
        held_out = known_classes(held_out)
        theirs = _chosen(network, _read(network, held_out, device), device)
        terms = [
            (floats(vae_loss(network, batch, rows.to(device))), len(batch))
            for batch, rows in zip(batches(held_out), torch.split(theirs, BATCH), strict=True)
        ]
        trained = known.rows(slice(0, len(held_out)))
        both = (trained, shift()[: len(trained)]), (held_out, theirs)
        scores = [_scores(network, *each, device).numpy() for each in both]
        return HeldOut(joined(terms), same_distribution("anomaly score", *scores))

    run = Epochs(network, indexed(known), seed, epochs, _RATE, generator, progress, measured(kept, measure))
    for batch in run:
        rows = shift()[torch.from_numpy(batch.snr.astype(np.int64))]
        run.step(vae_loss(network, batch, rows.to(device), generator))
    return network.eval().cpu()


def _read(network: SpectralVae, samples: Samples, device: Device, progress: Progress | None = None) -> WhatIsRead:
    shifts, vectors = [], []
    with torch.no_grad():
        for number, batch in enumerate(batches(samples)):
            if progress is not None:
                progress("read", number * BATCH / len(samples))
            read = network.read(network.channels(*tensors(batch, device)))
            shifts.append(network.shifts(read).cpu())
            vectors.append(read.vector.half().cpu())
    return WhatIsRead(torch.cat(shifts), torch.cat(vectors))


def _chosen(network: SpectralVae, read: WhatIsRead, device: Device) -> Tensor:
    """Return the shift at which each spectrum is drawn, (n, 1), in the host's memory."""
    with torch.no_grad():
        parts = zip(torch.split(read.shifts, BATCH), torch.split(read.vectors, BATCH), strict=True)
        return torch.cat([network.chosen(one.to(device), other.to(device).float()).cpu() for one, other in parts])


def _fit_kind(network: SpectralVae, vectors: Tensor, kind: Tensor, seed: int, device: Device) -> None:
    """Fit what tells galaxy, quasar and star from the trunk's vectors (n, size) and the true kinds (n,)."""
    optimiser = torch.optim.AdamW(network.kind.parameters(), lr=_KIND_RATE, weight_decay=0.02)
    rng = np.random.default_rng((seed, 3))
    for _ in range(_KIND_EPOCHS):
        for rows in torch.split(torch.from_numpy(rng.permutation(len(kind))), _KIND_BATCH):
            seen = vectors[rows].to(device).float()
            loss = nn.functional.cross_entropy(network.kind(seen), kind[rows].to(device))
            optimiser.zero_grad(set_to_none=True)
            torch.autograd.backward(loss)
            optimiser.step()


def _scores(network: SpectralVae, samples: Samples, shift: Tensor, device: Device) -> Tensor:
    found = []
    for batch, part in zip(batches(samples), torch.split(shift, BATCH), strict=True):
        rows = part.to(device)
        x, significance = normalise(*tensors(batch, device))
        mean, _ = network.encode(x, significance, rows)
        chi2 = bin_residual(x, significance, network.decode(mean, rows), rows, network.bin_floors).chi2
        found.append(score(torch.clamp(chi2, max=LARGEST_CHI2), significance).cpu())
    return torch.cat(found)
