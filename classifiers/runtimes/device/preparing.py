"""A pipeline that is given raw spectra: they are prepared on its device, in the stream that computes on them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from classifiers.items import Spectrum
from classifiers.preprocess.grid import CommonGrid
from classifiers.preprocess.prepare import PreparedBatch
from classifiers.runtimes.contract import Declared
from classifiers.runtimes.device.pipeline import Pipeline
from classifiers.runtimes.device.prepare import COUNT, FLAGS, SCALE, SNR, DevicePreparation
from classifiers.runtimes.device.raw import raw_batches


class PreparedAnswers(NamedTuple):
    """n spectra as they were prepared, and what was computed of them by bundle name and output name."""

    prepared: PreparedBatch
    answers: dict[str, dict[str, NDArray[Any]]]


class PreparingPipeline:
    """A ``Pipeline`` whose device has a ``DevicePreparation``."""

    def __init__(self, pipeline: Pipeline, preparation: DevicePreparation, grid: CommonGrid) -> None:
        """Take a pipeline.

        Args:
            pipeline: of a program that reads flux and inverse variance on the grid.
            preparation: the one that its device was given.
            grid: the bundles' grid.
        """
        self._pipeline, self._grid = pipeline, grid
        program = pipeline.program
        self._outputs = {each.name: each for each in program.outputs}
        self._wanted: dict[str, Declared] = {each.name: each.tensor for each in program.outputs}
        self._wanted |= {tensor.name: tensor for tensor in program.inputs}
        self._wanted |= dict(preparation.outputs)

    @property
    def grid(self) -> CommonGrid:
        """Return the grid that spectra are brought to."""
        return self._grid

    def run(self, spectra: Sequence[Spectrum], *, bucket: int | None = None) -> PreparedAnswers:
        """Prepare and compute n >= 1 spectra; ``prepared`` is what ``prepare`` makes, but for last bits.

        Args:
            spectra: of any form.
            bucket: see ``Pipeline.compute``.

        Raises:
            UnitError: a flux unit is not one that can be classified.
            OutOfMemory: the device cannot even hold the smallest bucket.
            DeviceLost: the device failed, now or before.
            BundleError: an output is not what the manifest declares.
        """
        n = len(spectra)
        prepared = PreparedBatch.blank(n, self._grid)
        answers: dict[str, NDArray[Any]] = {}
        for batch in raw_batches(spectra, self._grid):
            found = self._pipeline.compute(len(batch.rows), batch.inputs, self._wanted, bucket=bucket)
            whole = np.array_equal(batch.rows, np.arange(n))  # all of one form, as a survey's mostly are
            for name, output in self._outputs.items():
                if whole:
                    answers[name] = found[name]
                else:
                    tensor = output.tensor
                    answers.setdefault(name, np.empty((n, *tensor.shape), tensor.dtype))[batch.rows] = found[name]
            prepared.flux[batch.rows] = found["flux"]
            prepared.inverse_variance[batch.rows] = found["inverse_variance"]
            prepared.scale[batch.rows] = batch.factor * found[SCALE]
            prepared.snr[batch.rows] = found[SNR]
            prepared.coverage[batch.rows] = found[COUNT] / self._grid.n
            prepared.quality_flags[batch.rows] = batch.flags | found[FLAGS]
        by_bundle: dict[str, dict[str, NDArray[Any]]] = {}
        for name, output in self._outputs.items():
            by_bundle.setdefault(output.bundle, {})[output.tensor.name] = answers[name]
        return PreparedAnswers(prepared, by_bundle)
