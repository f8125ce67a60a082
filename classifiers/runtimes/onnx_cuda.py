"""ONNX Runtime's CUDA provider, where a build of onnxruntime with it is installed: a program on the first GPU.

Without torch the library copies arrays and waits itself (``OnnxDevice``), one batch after the other. Where torch has a
card, too, the provider computes between torch's tensors on torch's streams (``onnx_launching``).

The library goes over to the CPU without an error where CUDA's libraries do not load, or where a kernel fails while it
serves: it is told not to, and what a session really uses is asked. Libraries of CUDA that came as Python packages are
loaded first, which it leaves to its user. It rounds fp32 products to TF32 unless it is told not to: it is told either
way.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from classifiers.bundle.errors import BundleError
from classifiers.errors import ClassifierError
from classifiers.runtimes.casting import Dtype
from classifiers.runtimes.contract import chunk
from classifiers.runtimes.device.contract import BUCKETS, DeviceLost, OutOfMemory
from classifiers.runtimes.device.pipeline import Pipeline
from classifiers.runtimes.device.rows import Column
from classifiers.runtimes.errors import RuntimeUnavailable
from classifiers.runtimes.onnx_cpu import FAILURES, open_session
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


_MEMORY: Final = ("failed to allocate memory", "out of memory", "alloc_failed", "allocation_failed")
_CARD: Final = ("cuda failure", "cuda error", "cudaerror")
"""What it says when the card is to blame, and what was on it is lost."""


def on_provider(
    program: Program, provider: str, given: Mapping[str, str], opener: Callable[..., Any] = onnxruntime.InferenceSession
) -> Any:
    """Open a program's graph in a session on a provider, which may not go over to another.

    Args:
        program: bundles that read the same.
        provider: of onnxruntime.
        given: its options.
        opener: makes the session; see ``open_session``.

    Raises:
        RuntimeUnavailable: there is no session, or it does not use the provider.
    """
    try:
        session = open_session(program.name, program.graph, [(provider, given)], opener)
    except BundleError as error:  # the graph is one that has been joined, and loads on the CPU
        raise RuntimeUnavailable(RUNTIME, f"expected a session on {provider}, found: {error.found}") from error
    used = session.get_providers()[0]
    if used != provider:
        raise RuntimeUnavailable(RUNTIME, f"expected a session on {provider}, found {used}")
    session.disable_fallback()
    return session


def failure(error: Exception, bucket: int, *, computed: bool) -> ClassifierError:
    """Return what a failure of the library means.

    Args:
        error: one of ``FAILURES``.
        bucket: rows that were to be computed.
        computed: whether as many were computed before.
    """
    words = " ".join(str(error).split())[:300]
    if _says(words, _MEMORY):
        return OutOfMemory(bucket, words)
    if computed or _says(words, _CARD):
        return DeviceLost(words)
    return RuntimeUnavailable(RUNTIME, f"expected {bucket} rows to be computed, found: {words}")


class OnnxDevice:
    """A program in one session; a ``Device`` of one slot, since the library has no streams that it could be given."""

    slots = 1

    def __init__(
        self,
        program: Program,
        provider: str = PROVIDER,
        *,
        dtype: Dtype = "fp32",
        opener: Callable[..., Any] = onnxruntime.InferenceSession,
    ) -> None:
        """Open the program's graph.

        Args:
            program: bundles that read the same.
            provider: of onnxruntime; only that of CUDA is given options.
            dtype: one of ``DTYPES``.
            opener: makes the session; see ``open_session``.

        Raises:
            RuntimeUnavailable: there is no session, or it does not use the provider.
        """
        self._names = [each.name for each in program.outputs]
        given = options(dtype) if provider == PROVIDER else {}
        self._session = on_provider(program, provider, given, opener)
        self._found: list[NDArray[Any]] = []
        self._computed: set[int] = set()
        self._too_large: int | None = None

    def begin(self, slot: int, bucket: int, inputs: Mapping[str, Column]) -> None:
        """Compute rows, padded to the bucket; see ``Device``.

        Raises:
            OutOfMemory: the card has no room for the bucket.
            DeviceLost: the card failed, or what has computed such a bucket before.
            RuntimeUnavailable: the library has no kernels that compute it here.
        """
        del slot
        if self._too_large is not None and bucket >= self._too_large:
            raise OutOfMemory(bucket, "given up before")
        try:
            whole = chunk({name: np.asarray(array) for name, array in inputs.items()}, 0, bucket)
            self._found = self._session.run(self._names, whole)
        except FAILURES as error:
            raise failure(error, bucket, computed=bucket in self._computed) from error
        self._computed.add(bucket)

    def wait(self, slot: int) -> dict[str, NDArray[Any]]:
        """Return what was computed, by graph name."""
        del slot
        return dict(zip(self._names, self._found, strict=True))

    def give_up(self, bucket: int) -> None:
        """Refuse a bucket and larger ones from now on."""
        self._too_large = bucket


def _says(words: str, phrases: Sequence[str]) -> bool:
    return any(phrase in words.lower() for phrase in phrases)


def open_onnx_cuda(
    program: Program,
    dtype: Dtype,
    notice: Callable[[str], None],
    *,
    provider: str = PROVIDER,
    buckets: Sequence[int] = BUCKETS,
) -> Pipeline:
    """Open a program on the first GPU, without torch.

    Args:
        program: bundles that read the same.
        dtype: one of ``DTYPES``.
        notice: told in one line where a bucket is too large for the card.
        provider: of onnxruntime.
        buckets: rows to compute at once.

    Raises:
        RuntimeUnavailable: there is no session, or it does not use the provider.
    """
    load_libraries(provider)
    return Pipeline(program, OnnxDevice(program, provider, dtype=dtype), buckets, on_smaller(notice))


def load_libraries(provider: str) -> None:
    """Load CUDA's libraries where they came as Python packages."""
    if provider == PROVIDER and hasattr(onnxruntime, "preload_dlls"):  # from 1.21 on
        onnxruntime.preload_dlls()


def on_smaller(notice: Callable[[str], None]) -> Callable[[OutOfMemory, int], None]:
    """Return what tells in one line that a bucket is too large for the card."""

    def told(error: OutOfMemory, smaller: int) -> None:
        notice(f"{error}; batches of {smaller} rows from now on")

    return told
