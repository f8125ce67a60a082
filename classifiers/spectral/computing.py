"""From spectra to what the engines of the spectrum lane say of them: prepared on the CPU, or on the engines' device."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

import numpy as np

from classifiers.engine import Arrays
from classifiers.items import Spectrum
from classifiers.loaded import LoadedEngine
from classifiers.preprocess.grid import CommonGrid
from classifiers.preprocess.prepare import PreparedBatch, prepare
from classifiers.runtimes.program_engine import Prepares, ProgramEngine
from classifiers.runtimes.stages import JOINT, stages
from classifiers.watch import Watch


class Computed(NamedTuple):
    """n spectra as they were prepared, outputs by bundle name, and seconds by stage."""

    prepared: PreparedBatch
    outputs: Mapping[str, Arrays]
    seconds: dict[str, float]


class Computation(Protocol):
    """Prepares and computes n >= 1 spectra; any number of threads may call it at once."""

    def compute(self, items: Sequence[Spectrum]) -> Computed:
        """Return what the engines say of n spectra."""
        ...


def computation(engines: Sequence[LoadedEngine], grid: CommonGrid, threads: int) -> Computation:
    """Return how engines are fed: by their device where they share one that prepares, else by the CPU.

    Args:
        engines: of the spectrum lane.
        grid: theirs.
        threads: batches whose engines compute at once on the CPU.
    """
    shared = {id(each.engine.program): each.engine for each in engines if isinstance(each.engine, ProgramEngine)}
    alike = len(shared) == 1 and all(isinstance(each.engine, ProgramEngine) for each in engines)
    preparing = next(iter(shared.values())).preparing if alike else None
    return _OnHost(engines, grid, threads) if preparing is None else _OnDevice(engines, preparing)


class _OnHost:
    """A piece of the batch goes through preparation and engines while it is in the processor's cache.

    Engines take turns with those of other calls; preparation does not.
    """

    def __init__(self, engines: Sequence[LoadedEngine], grid: CommonGrid, threads: int) -> None:
        self._engines, self._grid = engines, grid
        self._stages = stages([(loaded.bundle, loaded.engine) for loaded in engines])
        rows = [stage.rows for stage in self._stages]
        self._piece = max(rows, default=0) if all(rows) else 0
        self._turns = threading.Semaphore(threads)

    def compute(self, items: Sequence[Spectrum]) -> Computed:
        """Return what the engines say of n spectra."""
        n = len(items)
        piece = self._piece or n
        prepared = PreparedBatch.blank(n, self._grid)
        outputs = {
            loaded.bundle.manifest.name: {
                tensor.name: np.empty((n, *tensor.shape), tensor.dtype) for tensor in loaded.bundle.manifest.outputs
            }
            for loaded in self._engines
        }
        seconds: dict[str, float] = {}
        for start in range(0, n, piece):
            watch, part = Watch(), slice(start, start + piece)
            rows = prepare(items[part], self._grid, prepared.rows(part))
            watch.stop("preprocess")
            inputs = {"flux": rows.flux, "inverse_variance": rows.inverse_variance}
            for stage in self._stages:
                with self._turns:
                    watch.start()
                    answers = stage.run(inputs)
                    watch.stop(stage.label)
                for name, columns in answers.items():
                    for output, values in columns.items():
                        outputs[name][output][part] = values
            watch.add_to(seconds)
        return Computed(prepared, outputs, seconds)


class _OnDevice:
    """Raw spectra go up once; preparation and all engines run there, one after the other, and results come back."""

    def __init__(self, engines: Sequence[LoadedEngine], preparing: Prepares) -> None:
        self._label = JOINT.join(each.engine.name for each in engines)
        self._preparing = preparing

    def compute(self, items: Sequence[Spectrum]) -> Computed:
        """Return what the engines say of n spectra."""
        watch = Watch()
        found = self._preparing.run(items)
        watch.stop(self._label)
        seconds: dict[str, float] = {}
        watch.add_to(seconds)
        return Computed(found.prepared, found.answers, seconds)
