"""ONNX Runtime's CUDA provider, where a build of onnxruntime with it is installed: a program on the first GPU.

The library copies arrays and waits itself, so this is slower than torch or TensorRT; it needs neither. It falls back to
the CPU without an error where CUDA's libraries do not load: what a session really uses is therefore asked, and another
provider refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from classifiers.runtimes.contract import check_inputs, check_output, chunk
from classifiers.runtimes.device.contract import BUCKETS
from classifiers.runtimes.errors import RuntimeUnavailable
from classifiers.runtimes.onnx_cpu import open_session
from classifiers.runtimes.program import Program

RUNTIME: Final = "onnxruntime_cuda"
"""How records name it: its last bits are not those of the CPU."""
PROVIDER: Final = "CUDAExecutionProvider"


def is_built_in() -> bool:
    """Return whether the installed onnxruntime has the provider."""
    return PROVIDER in onnxruntime.get_available_providers()


class OnnxProgram:
    """A program in one session; batches are cut to buckets and padded by repeating their first row."""

    def __init__(self, program: Program, provider: str = PROVIDER, buckets: Sequence[int] = BUCKETS) -> None:
        """Open the program's graph.

        Args:
            program: bundles that read the same.
            provider: of onnxruntime.
            buckets: rows to compute at once, ascending.

        Raises:
            RuntimeUnavailable: the session does not use the provider.
            BundleError: the graph does not load.
        """
        self._program, self._buckets = program, tuple(buckets)
        self._names = [each.name for each in program.outputs]
        self._session = open_session(program.name, program.graph, [provider])
        used = self._session.get_providers()[0]
        if used != provider:
            raise RuntimeUnavailable(RUNTIME, f"expected a session on {provider}, found {used}")

    def run(self, inputs: Mapping[str, NDArray[np.float32]]) -> dict[str, dict[str, NDArray[Any]]]:
        """Compute the outputs of n >= 1 rows, by bundle name and output name."""
        n = check_inputs(self._program, inputs)
        wanted = {tensor.name: inputs[tensor.name] for tensor in self._program.inputs}
        parts: list[list[NDArray[Any]]] = []
        for start in range(0, n, self._buckets[-1]):
            rows = min(n - start, self._buckets[-1])
            bucket = next(size for size in self._buckets if size >= rows)
            found = self._session.run(self._names, chunk(wanted, start, bucket))
            parts.append([values[:rows] for values in found])
        results: dict[str, dict[str, NDArray[Any]]] = {bundle.manifest.name: {} for bundle in self._program.bundles}
        for i, each in enumerate(self._program.outputs):
            values = np.concatenate([part[i] for part in parts])
            check_output(self._program, each.tensor, values, n)
            results[each.bundle][each.tensor.name] = values
        return results
