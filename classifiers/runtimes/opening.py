"""From a runtime's name to an engine: ``auto`` takes the first that can serve and says why the others could not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from classifiers.bundle.folder import Bundle
from classifiers.engine import Engine
from classifiers.runtimes.errors import RuntimeUnavailable
from classifiers.runtimes.onnx_cpu import OnnxEngine

AUTO = "auto"
ORDER = ("tensorrt", "tensorrt_rtx", "torch", "onnxruntime")
"""The order in which ``auto`` tries."""

_OPENERS: dict[str, Callable[[Bundle, int], Engine]] = {
    "onnxruntime": lambda bundle, threads: OnnxEngine(bundle, threads=threads),
}


@dataclass(frozen=True, slots=True)
class Opened:
    """An engine, and what was tried before it.

    Attributes:
        engine: ready to run.
        refusals: (runtime, reason) of each runtime that ``auto`` passed over, in the order tried; empty when named.
    """

    engine: Engine
    refusals: tuple[tuple[str, str], ...] = ()


def open_engine(bundle: Bundle, runtime: str = AUTO, *, threads: int = 1) -> Opened:
    """Open a bundle on a runtime.

    Args:
        bundle: verified bundle.
        runtime: ``auto`` or one of ``ORDER``; a named runtime is never replaced by another.
        threads: CPU threads; changes speed, never results.

    Raises:
        RuntimeUnavailable: the named runtime is unknown or cannot serve.
        BundleError: the graph is not what its manifest says.
    """
    if runtime != AUTO:
        reason = _why_not(runtime)
        if reason:
            raise RuntimeUnavailable(runtime, reason)
        return Opened(_OPENERS[runtime](bundle, threads))
    refusals: list[tuple[str, str]] = []
    for name in ORDER:
        reason = _why_not(name)
        if not reason:
            return Opened(_OPENERS[name](bundle, threads), tuple(refusals))
        refusals.append((name, reason))
    raise RuntimeUnavailable(AUTO, "; ".join(f"{name}: {why}" for name, why in refusals))


def _why_not(runtime: str) -> str:
    if runtime not in ORDER:
        return f"unknown; known are {AUTO}, {', '.join(ORDER)}"
    return "" if runtime in _OPENERS else "not available in this version of specstream"
