"""Training samples: simulated spectra on the common grid, compact enough to keep many in memory.

A spectrum is stored as flux over its level and as level times the square root of the inverse variance (S/N at level
flux), both float16: the networks normalise by the level themselves, so nothing is lost that they could see.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from classifiers.preprocess.grid import COMMON_GRID
from classifiers.training.imperfect import LOSING, spoil
from classifiers.training.simulation.grid import PIXELS, Float32, Integers
from classifiers.training.simulation.simulator import DEFAULT_KINDS, SimulatedBatch, Simulator

CHUNK = 1024
_REBIN = PIXELS // COMMON_GRID.n
_LARGEST_HALF = np.float32(60_000.0)


@dataclass(frozen=True, slots=True)
class Samples:
    """n simulated spectra on the common grid with their truth; see ``SimulatedBatch`` for the truth columns.

    Attributes:
        flux: (n, 1557) float16, flux over level, 0 where masked.
        significance: (n, 1557) float16, level times sqrt(inverse variance), 0 where masked.
        class_target: (n, 14) float32.
        class_index, other_type, kind: (n,) int64.
        redshift, snr: (n,) float64.
        broad_absorption: (n,) bool.
    """

    flux: NDArray[np.float16]
    significance: NDArray[np.float16]
    class_target: Float32
    class_index: Integers
    other_type: Integers
    kind: Integers
    redshift: NDArray[np.float64]
    snr: NDArray[np.float64]
    broad_absorption: NDArray[np.bool_]

    def __len__(self) -> int:
        """Return n."""
        return int(self.kind.size)

    def coverage(self) -> NDArray[np.float64]:
        """Return the share of the grid that each spectrum covers, (n,)."""
        return np.asarray((self.significance > 0).mean(axis=1), np.float64)

    @staticmethod
    def joined(parts: Sequence[Samples]) -> Samples:
        """Join samples, at least one."""
        return Samples(*(np.concatenate([getattr(part, each.name) for part in parts]) for each in fields(Samples)))

    def rows(self, chosen: NDArray[np.int64] | slice) -> Samples:
        """Return some of the rows."""
        return Samples(*(getattr(self, entry.name)[chosen] for entry in fields(self)))

    def inputs(self) -> tuple[Float32, Float32]:
        """Return flux and inverse variance, (n, 1557) float32, as the engines read them."""
        return self.flux.astype(np.float32), self.significance.astype(np.float32) ** 2


def rebin(flux: Float32, inverse_variance: Float32) -> tuple[Float32, Float32]:
    """Rebin from the native to the common grid: means weighted by inverse variance.

    Args:
        flux: (n, 4671) float32.
        inverse_variance: (n, 4671) float32.

    Returns:
        flux and inverse variance of the mean, (n, 1557) float32.
    """
    shape = flux.shape[0], COMMON_GRID.n, _REBIN
    weight = inverse_variance.reshape(shape).sum(axis=2)
    weighted = (flux * inverse_variance).reshape(shape).sum(axis=2)
    return np.divide(weighted, weight, out=np.zeros_like(weighted), where=weight > 0), weight


def level(flux: Float32, inverse_variance: Float32) -> Float32:
    """Return the typical absolute flux of each row, at least half its typical error, (n, 1) float32."""
    tiny = np.float32(1e-30)
    total = np.maximum(inverse_variance.sum(axis=1, keepdims=True), tiny)
    power = (inverse_variance * flux**2).sum(axis=1, keepdims=True)
    count = (inverse_variance > 0).sum(axis=1, keepdims=True)
    return np.asarray(np.sqrt(np.maximum(np.maximum(power - count, 0.25 * count) / total, tiny)), dtype=np.float32)


def compact(batch: SimulatedBatch) -> Samples:
    """Bring a simulated batch to the common grid."""
    flux, weight = rebin(batch.flux, batch.inverse_variance)
    scale = level(flux, weight)
    scaled = np.clip(flux / scale, -_LARGEST_HALF, _LARGEST_HALF).astype(np.float16)
    significance = np.minimum(np.sqrt(weight) * scale, _LARGEST_HALF).astype(np.float16)
    return Samples(
        scaled,
        significance,
        batch.class_target,
        batch.class_index,
        batch.other_type,
        batch.kind,
        batch.redshift,
        batch.snr,
        batch.broad_absorption,
    )


def draw_samples(
    simulator: Simulator,
    n: int,
    seed: int,
    progress: Callable[[str, float], None] | None = None,
    kinds: Mapping[str, float] = DEFAULT_KINDS,
    losing: float = LOSING,
) -> Samples:
    """Simulate n training samples; the same seed gives the same samples, and a larger n begins with them.

    Args:
        simulator: the forward simulator.
        n: how many, at least 1.
        seed: of the sample; chunk i uses the generators of (seed, i) and, for what is spoilt, (seed, i, 1).
        progress: called with what is being done and the fraction done.
        kinds: relative frequency by kind, as in ``Simulator.draw``.
        losing: share of the spectra that lose wavelengths.
    """
    parts: list[Samples] = []
    for chunk in range((n + CHUNK - 1) // CHUNK):
        if progress is not None:
            progress("simulate", chunk * CHUNK / n)
        drawn = compact(simulator.draw(CHUNK, np.random.default_rng((seed, chunk)), kinds=kinds))
        spoil(drawn.flux, drawn.significance, np.random.default_rng((seed, chunk, 1)), losing)
        parts.append(drawn)
    return Samples.joined(parts).rows(slice(0, n))
