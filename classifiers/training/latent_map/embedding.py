"""Fits the map: a parametric t-SNE, which learns the function to the plane and not the places of some points.

The graph of the k nearest neighbours in latent space is embedded by contrast: of the batch's points, a point's
neighbour should be the one that is nearest on the map, similarity being Student's t with one degree of freedom (van der
Maaten & Hinton 2008, JMLR 9, 2579, eq. 4). This is InfoNC-t-SNE (Damrich+ 2023, arXiv:2206.01816, sect. 4) with a
network for the map, as in parametric t-SNE (van der Maaten 2009, AISTATS 5, 384).

Neighbours alone leave it open where groups lie among each other: two trainings would draw two maps. So the map begins
near given places, and what of the groups' means is not a shifted and scaled copy of them is a second, small loss.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from classifiers.networks.latent_map import LatentMap
from classifiers.training.devices import CPU, Device, tensor_on
from classifiers.training.latent_map.neighbours import nearest
from classifiers.training.schedule import one_cycle

Progress = Callable[[str, float], None]
NEIGHBOURS = 15
PASSES = 160
"""How often each point is drawn, on average."""
BATCH = 512
ANCHOR = 3.0
"""Weight of the places [nat]. On one autoencoder 3 cost 0.004 of trustworthiness, 10 cost 0.01; two trainings that
differed in seed alone then placed held-out spectra at a median distance of 0.11 and 0.12 of the map's scale."""
_RATE, _WEIGHT_DECAY, _RISE = 2e-3, 1e-3, 0.1
_RIDGE, _TINY = 1e-3, 1e-12


def embed(
    latent: NDArray[np.float32],
    start: NDArray[np.floating[Any]],
    seed: int,
    progress: Progress | None = None,
    groups: NDArray[np.int64] | None = None,
    device: Device = CPU,
) -> LatentMap:
    """Return a map of the points, not yet turned into place; the same arguments give the same map on one machine.

    Args:
        latent: (n, d) float32 latent means, n > ``NEIGHBOURS``.
        start: (n, 2) roughly where the points should lie; the map begins as their linear regression on ``latent``.
        seed: of initial weights and batches.
        progress: called with what is being done and the fraction done.
        groups: (n,) from 0; points of one group have the same ``start``, near which the group is kept. None keeps none.
        device: that computes; the map is on the host again when it is returned.

    Raises:
        ValueError: there are too few points.
    """
    n, dimensions = latent.shape
    if n <= NEIGHBOURS:
        raise ValueError(f"expected more than {NEIGHBOURS} points to map, got {n}")
    rng = np.random.default_rng((seed, 1))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = LatentMap(dimensions)
    _begin(network, latent, start)
    network.to(device)
    neighbours, points = nearest(latent, NEIGHBOURS), torch.from_numpy(latent)
    batch = min(BATCH, n)
    steps = -(-PASSES * n // batch)
    optimiser = torch.optim.AdamW(network.parameters(), lr=_RATE, weight_decay=_WEIGHT_DECAY)
    schedule = one_cycle(optimiser, _RATE, steps, _RISE)
    own = torch.arange(batch, device=device)
    wanted = torch.from_numpy(start.astype(np.float32))
    for step in range(steps):
        one = rng.integers(0, n, batch)
        other = neighbours[one, rng.integers(0, NEIGHBOURS, batch)]
        places = network.unplaced(torch.cat([points[one], points[other]]).to(device))
        left, right = places[:batch], places[batch:]
        distance = (left * left).sum(dim=1)[:, None] + (right * right).sum(dim=1) - 2.0 * left @ right.T
        loss = nn.functional.cross_entropy(-torch.log1p(torch.clamp(distance, min=0.0)), own)
        if groups is not None:
            loss = loss + ANCHOR * _displaced(left, wanted[one].to(device), groups[one])
        optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        if progress is not None and step % 50 == 0:
            progress("map", step / steps)
    return network.eval().cpu()


def _begin(network: LatentMap, latent: NDArray[np.float32], start: NDArray[np.floating[Any]]) -> None:
    """Make the map the ridge regression of ``start`` on the points, with no bend."""
    design = np.concatenate([latent, np.ones((len(latent), 1))], axis=1).astype(np.float64)
    normal = design.T @ design + _RIDGE * len(latent) * np.eye(design.shape[1])
    solved = np.linalg.solve(normal, design.T @ start).astype(np.float32)
    with torch.no_grad():
        network.linear.weight.copy_(torch.from_numpy(solved[:-1].T))
        network.linear.bias.copy_(torch.from_numpy(solved[-1]))
        for parameter in network.bend[-1].parameters():
            parameter.zero_()


def _displaced(places: Tensor, wanted: Tensor, groups: NDArray[np.int64]) -> Tensor:
    """Return which part of the variance of the groups' means no shift and scale of the wanted places explains."""
    members = nn.functional.one_hot(tensor_on(places.device, groups), int(groups.max()) + 1).float()
    counts = members.sum(dim=0)
    share = (counts / counts.sum())[:, None]
    means, targets = ((members.T @ each) / torch.clamp(counts, min=1.0)[:, None] for each in (places, wanted))
    means, targets = (each - (share * each).sum(dim=0) for each in (means, targets))
    common = (share * means * targets).sum()
    return 1.0 - common * common / ((share * means**2).sum() * (share * targets**2).sum() + _TINY)
