"""ONNX Runtime on the CPU: the only file that imports onnxruntime.

Row results must not depend on the batch they come in. Measured (onnxruntime 1.31, x86-64 with AVX-512): batch sizes 1,
2 and 3 give other last bits than 8 and more, and with more than one intra-op thread so do 16 and 48 against 64, because
the work is cut at other rows. So a session computes with one intra-op thread, always on chunks of one size, the
smallest of the bundle's buckets from 16 on, and parallelism comes from several chunks at once. That is also the fastest
(such chunks stay in the cache). What remains is a row's place within its chunk: ReduceSum and ReduceMean over a last
axis whose length is no multiple of 8 add up in an order that depends on the row's memory alignment (measured; Softmax,
ReduceSumSquare, ReduceLogSumExp, LayerNormalization and MatMul do not). Graphs take such sums as matrix products with
a column of ones; ``independence`` tests a bundle for it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from classifiers.bundle.errors import BundleError
from classifiers.bundle.folder import COPY_AGAIN, GRAPH_FILE, Bundle
from classifiers.bundle.manifest import Manifest
from classifiers.runtimes.contract import check_inputs, check_output, check_signature, chunk
from classifiers.runtimes.joining import CannotJoin, join_bundles, output_name

SMALLEST_CHUNK = 16
"""Rows computed at once, if the bundle has a bucket of that size or more."""
_DTYPES = {"tensor(float)": "float32", "tensor(int64)": "int64"}
FAILURES: Final = (
    onnxruntime.capi.onnxruntime_pybind11_state.EPFail,
    onnxruntime.capi.onnxruntime_pybind11_state.Fail,
    onnxruntime.capi.onnxruntime_pybind11_state.InvalidArgument,
    onnxruntime.capi.onnxruntime_pybind11_state.InvalidGraph,
    onnxruntime.capi.onnxruntime_pybind11_state.InvalidProtobuf,
    onnxruntime.capi.onnxruntime_pybind11_state.NotImplemented,
    onnxruntime.capi.onnxruntime_pybind11_state.RuntimeException,
    RuntimeError,
)
"""What onnxruntime raises: its exceptions share no public base class below Exception."""


def version() -> str:
    """Return the version of onnxruntime."""
    return str(onnxruntime.__version__)


class OnnxEngine:
    """A bundle's graph on the CPU; an ``Engine``."""

    def __init__(self, bundle: Bundle, *, threads: int = 1) -> None:
        """Open the graph.

        Args:
            bundle: verified bundle.
            threads: chunks computed at once; changes speed, never results.

        Raises:
            BundleError: the graph does not load, or has other inputs or outputs than the manifest declares.
        """
        self._manifest = bundle.manifest
        self.chunk = _chunk_size(bundle.manifest)
        self._outputs = [tensor.name for tensor in bundle.manifest.outputs]
        file = str(bundle.folder / GRAPH_FILE)
        self._session = open_session(file, bundle.graph)
        check_signature(file, "input", bundle.manifest.inputs, _signature(self._session.get_inputs()))
        check_signature(file, "output", bundle.manifest.outputs, _signature(self._session.get_outputs()))
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=self.name) if threads > 1 else None

    @property
    def name(self) -> str:
        """Return the bundle's name."""
        return self._manifest.name

    @property
    def runtime(self) -> str:
        """Return onnxruntime."""
        return "onnxruntime"

    @property
    def dtype(self) -> str:
        """Return fp32."""
        return "fp32"

    def run(self, inputs: Mapping[str, NDArray[np.float32]]) -> dict[str, NDArray[Any]]:
        """Compute the outputs of n >= 1 rows, the same bits for a row whatever rows come with it.

        Args:
            inputs: arrays by the names that the manifest declares, first axis n.

        Returns:
            Arrays by output name, first axis n. They may hold NaN or inf where the graph gave them.
        """
        n = check_inputs(self._manifest, inputs)
        wanted = {tensor.name: inputs[tensor.name] for tensor in self._manifest.inputs}
        starts = range(0, n, self.chunk)

        def compute(start: int) -> list[NDArray[Any]]:
            computed: list[NDArray[Any]] = self._session.run(self._outputs, chunk(wanted, start, self.chunk))
            return computed

        parts = list(self._pool.map(compute, starts) if self._pool and len(starts) > 1 else map(compute, starts))
        results: dict[str, NDArray[Any]] = {}
        for i, tensor in enumerate(self._manifest.outputs):
            check_output(self._manifest, tensor, parts[0][i], self.chunk)
            results[tensor.name] = _rows([part[i] for part in parts], n)
        return results


class JoinedOnnxEngines:
    """The graphs of several bundles as one session: what they have in common is computed once, the same bits."""

    def __init__(self, bundles: Sequence[Bundle]) -> None:
        """Join and open the graphs.

        Args:
            bundles: verified bundles, each of which opens as an ``OnnxEngine``.

        Raises:
            CannotJoin: they differ in inputs, operator sets or chunk.
            BundleError: the joined graph does not load.
        """
        self._manifests = [bundle.manifest for bundle in bundles]
        chunks = {_chunk_size(manifest) for manifest in self._manifests}
        if len(chunks) != 1:
            raise CannotJoin(f"chunks of {sorted(chunks)} rows")
        self.chunk = chunks.pop()
        graph = join_bundles(bundles)
        self._session = open_session(", ".join(str(bundle.folder / GRAPH_FILE) for bundle in bundles), graph)
        self._places = [(manifest, tensor) for manifest in self._manifests for tensor in manifest.outputs]
        self._outputs = [output_name(manifest.name, tensor.name) for manifest, tensor in self._places]

    def run(self, inputs: Mapping[str, NDArray[np.float32]]) -> dict[str, dict[str, NDArray[Any]]]:
        """Compute the outputs of n >= 1 rows by bundle name and output name, as each ``OnnxEngine`` would."""
        first = self._manifests[0]  # the others read the same
        n = check_inputs(first, inputs)
        wanted = {tensor.name: inputs[tensor.name] for tensor in first.inputs}
        parts = [
            self._session.run(self._outputs, chunk(wanted, start, self.chunk)) for start in range(0, n, self.chunk)
        ]
        results: dict[str, dict[str, NDArray[Any]]] = {manifest.name: {} for manifest in self._manifests}
        for i, (manifest, tensor) in enumerate(self._places):
            check_output(manifest, tensor, parts[0][i], self.chunk)
            results[manifest.name][tensor.name] = _rows([part[i] for part in parts], n)
        return results


def _chunk_size(manifest: Manifest) -> int:
    buckets = manifest.batch_buckets
    return next((bucket for bucket in buckets if bucket >= SMALLEST_CHUNK), buckets[-1])


def open_session(
    file: str,
    graph: bytes,
    providers: Sequence[str | tuple[str, Mapping[str, str]]] = ("CPUExecutionProvider",),
    opener: Callable[..., Any] = onnxruntime.InferenceSession,
) -> Any:
    """Open a graph on one thread.

    Args:
        file: names the graph in errors.
        graph: serialised model.
        providers: of onnxruntime, by name or as pairs of name and options.
        opener: makes the session of graph, options and ``providers``.

    Raises:
        BundleError: the graph does not load; ``file`` names it.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return opener(graph, options, providers=list(providers))
    except FAILURES as error:
        found = str(error)[:300]
        raise BundleError(file, expected="a graph that onnxruntime loads", found=found, hint=COPY_AGAIN) from error


def _rows(parts: Sequence[NDArray[Any]], n: int) -> NDArray[Any]:
    """Return the first n rows of chunks one after the other."""
    return parts[0][:n] if len(parts) == 1 else np.concatenate(parts)[:n]


def _signature(nodes: list[Any]) -> dict[str, tuple[str, list[Any]]]:
    return {node.name: (_DTYPES.get(node.type, str(node.type)), list(node.shape)) for node in nodes}
