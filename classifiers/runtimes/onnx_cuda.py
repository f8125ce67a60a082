"""ONNX Runtime's CUDA provider, where a build of onnxruntime with it is installed: a program on the first GPU.

The library copies arrays and waits itself, so this is slower than torch or TensorRT; it needs neither. It falls back to
the CPU without an error where CUDA's libraries do not load: what a session really uses is therefore asked, and another
provider refused. It rounds fp32 products to TF32 unless it is told not to: it is told either way.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from classifiers.runtimes.casting import Dtype
from classifiers.runtimes.contract import check_inputs, check_output, chunk
from classifiers.runtimes.device.contract import BUCKETS
from classifiers.runtimes.errors import RuntimeUnavailable
from classifiers.runtimes.onnx_cpu import open_session
from classifiers.runtimes.program import Program

RUNTIME: Final = "onnxruntime_cuda"
"""How records name it: its last bits are not those of the CPU."""
PROVIDER: Final = "CUDAExecutionProvider"


DTYPES: Final[tuple[Dtype, ...]] = ("fp32", "tf32")
"""Number formats that the provider computes in, which takes the types from a graph in fp32."""

FIRST_WITH_TF32: Final = (8, 0)
"""Compute capability of the first cards that know TF32 (Ampere); earlier ones compute in fp32 whatever is asked for."""


def options(dtype: Dtype) -> dict[str, str]:
    """Return the provider's options for a number format; its own default for ``use_tf32`` is 1."""
    return {"use_tf32": "1" if dtype == "tf32" else "0"}


def is_built_in() -> bool:
    """Return whether the installed onnxruntime has the provider."""
    return PROVIDER in onnxruntime.get_available_providers()


class OnnxProgram:
    """A program in one session; batches are cut to buckets and padded by repeating their first row."""

    def __init__(
        self,
        program: Program,
        provider: str = PROVIDER,
        buckets: Sequence[int] = BUCKETS,
        *,
        dtype: Dtype = "fp32",
        opener: Callable[..., Any] = onnxruntime.InferenceSession,
    ) -> None:
        """Open the program's graph.

        Args:
            program: bundles that read the same.
            provider: of onnxruntime; only that of CUDA is given options.
            buckets: rows to compute at once, ascending.
            dtype: one of ``DTYPES``.
            opener: makes the session; see ``open_session``.

        Raises:
            RuntimeUnavailable: the session does not use the provider.
            BundleError: the graph does not load.
        """
        self._program, self._buckets = program, tuple(buckets)
        self._names = [each.name for each in program.outputs]
        self._session = open_session(
            program.name, program.graph, [(provider, options(dtype) if provider == PROVIDER else {})], opener
        )
        used = self._session.get_providers()[0]
        if used != provider:
            raise RuntimeUnavailable(RUNTIME, f"expected a session on {provider}, found {used}")

    @property
    def program(self) -> Program:
        """Return what is computed."""
        return self._program

    @property
    def buckets(self) -> tuple[int, ...]:
        """Return the rows that are computed at once."""
        return self._buckets

    @property
    def slots(self) -> int:
        """Return 1: a session has no streams of its own."""
        return 1

    def run(
        self, inputs: Mapping[str, NDArray[np.float32]], *, bucket: int | None = None
    ) -> dict[str, dict[str, NDArray[Any]]]:
        """Compute the outputs of n >= 1 rows, by bundle name and output name.

        Args:
            inputs: by the names that the program reads, first axis n.
            bucket: rows to compute at once; None: as is best.
        """
        sizes = self._buckets if bucket is None else (bucket,)
        n = check_inputs(self._program, inputs)
        wanted = {tensor.name: inputs[tensor.name] for tensor in self._program.inputs}
        parts: list[list[NDArray[Any]]] = []
        for start in range(0, n, sizes[-1]):
            rows = min(n - start, sizes[-1])
            size = next(size for size in sizes if size >= rows)
            found = self._session.run(self._names, chunk(wanted, start, size))
            parts.append([values[:rows] for values in found])
        results: dict[str, dict[str, NDArray[Any]]] = {bundle.manifest.name: {} for bundle in self._program.bundles}
        for i, each in enumerate(self._program.outputs):
            values = np.concatenate([part[i] for part in parts])
            check_output(self._program, each.tensor, values, n)
            results[each.bundle][each.tensor.name] = values
        return results
