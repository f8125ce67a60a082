"""Whether a runtime could serve on this machine: asked in a process of its own, so that only the winner is imported.

The vendor libraries must not meet in one process, and what a driver does to a process that asks it in vain is not to
happen to the one that serves. What costs nothing is asked first and here: whether the package is installed, and whether
there is a GPU at all. The process then computes a sum on the card: a library that sees a card may have no kernels for
it, and a card that is there may be broken or another process's alone.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

from classifiers.runtimes.errors import RuntimeUnavailable
from classifiers.runtimes.tensorrt.card import Card, find_card, found_instead

if TYPE_CHECKING:
    from classifiers.runtimes.tensorrt.library import Library

PACKAGES: Final[Mapping[str, tuple[tuple[str, str], ...]]] = {
    "tensorrt": (("tensorrt", "tensorrt"), ("torch", "gpu")),
    "tensorrt_rtx": (("tensorrt_rtx", "tensorrt-rtx"), ("torch", "gpu")),
    "torch": (("torch", "gpu"), ("safetensors", "gpu")),
}
"""What each runtime imports, and the extra of specstream that brings it."""
PROBE_TIMEOUT_S: Final = 120.0

Run = Callable[[Sequence[str]], "subprocess.CompletedProcess[str]"]


def why_not(runtime: str, device: str = "auto") -> str:
    """Return why a runtime other than onnxruntime cannot serve, in one line; "" where it can.

    Args:
        runtime: tensorrt, tensorrt_rtx or torch.
        device: auto, cuda or cpu; only torch computes on the processor, and only where that is asked for.
    """
    missing = [(package, extra) for package, extra in PACKAGES[runtime] if find_spec(package) is None]
    if missing:
        package, extra = missing[0]
        return f"expected the package {package}, found none: in specstream's checkout pip install '.[{extra}]'"
    if device == "cpu":
        return "" if runtime == "torch" else "expected engines.device = auto or cuda, since it needs an NVIDIA GPU"
    card = find_card()
    if card is None:
        return f"expected an NVIDIA GPU with its driver, found {found_instead()}"
    return asked(runtime)


def asked(runtime: str, run: Run | None = None) -> str:
    """Ask in a process of its own; return the reason, or "" where the runtime can serve."""
    command = [sys.executable, "-m", "classifiers.runtimes.probing", runtime]
    try:
        done = _run(command) if run is None else run(command)
    except subprocess.TimeoutExpired:
        return f"expected an answer of its probe within {PROBE_TIMEOUT_S:g} s, found none"
    answer = done.stdout.strip().rpartition("\n")[2]
    try:
        reason = json.loads(answer)["reason"]
    except (json.JSONDecodeError, KeyError, TypeError):
        last = done.stderr.strip().rpartition("\n")[2]
        return f"its probe ended with status {done.returncode}: {last or 'it said nothing'}"
    return str(reason)


def _run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - our own module
        command, capture_output=True, text=True, timeout=PROBE_TIMEOUT_S, check=False
    )


def _named(card: Card) -> str:
    return f"{card.name} (compute capability {card.compute_capability}, driver {card.driver})"


def answer(runtime: str) -> str:
    """Return what this process finds when it imports a runtime for good and uses it: the reason against it, or ""."""
    library = None
    if runtime in ("tensorrt", "tensorrt_rtx"):
        from classifiers.runtimes.tensorrt.library import load

        try:
            library = load(runtime)
        except RuntimeUnavailable as error:
            return error.reason
    card = find_card()
    unfit = library.why_not_on(card) if library is not None and card is not None else ""
    if unfit:
        return unfit
    try:
        import torch
    except (ImportError, OSError) as error:  # OSError: a shared library that it needs
        return f"expected the package torch (extra gpu of specstream), found: {error}"
    if torch.cuda.is_available():
        return computes(torch) or ("" if library is None else starts(library))
    built = f"CUDA {torch.version.cuda}" if torch.version.cuda else "no CUDA"
    wanted = f"expected a GPU and driver that torch {torch.__version__} (built with {built}) can use"
    if card is None:
        return f"{wanted}, found {found_instead()}"
    return f"{wanted}, found {_named(card)}; take a newer driver, or a torch built for its CUDA"


def computes(torch: Any) -> str:
    """Return why torch computes no sum on the first GPU, in the first line of its words; "" where it does.

    Args:
        torch: the module, which sees a GPU.
    """
    wanted = 8.0
    try:
        found = torch.zeros(int(wanted), device="cuda").add_(1).sum().item()
    except RuntimeError as error:  # no kernels for the card, the card is another process's alone, or it is broken
        return f"expected a GPU that torch {torch.__version__} computes on, found: {_first_line(error)}"
    if found != wanted:
        return f"expected a GPU that torch {torch.__version__} computes on, found {found:g} for a sum of {wanted:g}"
    return ""


def starts(library: Library) -> str:
    """Return why a library makes no runtime on the first GPU, in its words; "" where it does."""
    from classifiers.runtimes.tensorrt.library import listen

    logger, words = listen(library)
    try:
        library.module.Runtime(logger)
    except (TypeError, RuntimeError):  # TypeError: how the binding says that it was given nothing
        return f"expected {library.name} {library.version} to start on this GPU, found: {words.take()}"
    return ""


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__


if __name__ == "__main__":
    print(json.dumps({"reason": answer(sys.argv[1])}))
