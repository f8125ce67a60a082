"""Asking whether a runtime can serve: what is asked first, and what its process may do to itself."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from classifiers.runtimes import probing
from classifiers.runtimes.probing import PROBE_TIMEOUT_S, asked, computes, starts, why_not
from classifiers.runtimes.tensorrt import library
from classifiers.runtimes.tensorrt.card import Card
from classifiers.runtimes.tensorrt.library import Library, load

HOPPER = Card("NVIDIA H100", "9.0", "570.86.15")


def done(stdout: str = "", stderr: str = "", status: int = 0) -> subprocess.CompletedProcess[str]:
    """Return what a probe left behind."""
    return subprocess.CompletedProcess(["probe"], status, stdout, stderr)


@pytest.mark.slow
def test_the_probe_itself_runs_in_a_process_of_its_own() -> None:
    """On a machine without a GPU torch says so, and this process has imported nothing for it."""
    script = "import sys; from classifiers.runtimes import probing"
    script += "; print(probing.asked('torch'), 'torch' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert said.startswith("expected a GPU and driver that torch")
    assert said.endswith("found none False\n")


def test_what_it_prints_last_is_its_answer() -> None:
    """Libraries print what they like before."""
    assert asked("torch", lambda _: done("warming up\n" + json.dumps({"reason": ""}))) == ""
    assert asked("torch", lambda _: done(json.dumps({"reason": "too old"}))) == "too old"


@pytest.mark.parametrize("output", ["", "no json", "[1]", "{}"])
def test_a_probe_that_dies_is_a_reason(output: str) -> None:
    """The status and its last words say what happened."""
    reason = asked("tensorrt", lambda _: done(output, "loading\nlibnvinfer: symbol lookup error", -11))
    assert reason == "its probe ended with status -11: libnvinfer: symbol lookup error"


def test_a_probe_that_hangs_is_a_reason() -> None:
    """A driver that waits for a card that fell off the bus does not stop the service from starting."""

    def hang(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
        raise subprocess.TimeoutExpired(command, PROBE_TIMEOUT_S)

    assert asked("tensorrt", hang) == "expected an answer of its probe within 120 s, found none"


def test_a_missing_package_names_the_extra_that_brings_it() -> None:
    """The user learns what to install."""
    assert (
        why_not("tensorrt")
        == "expected the package tensorrt, found none: in specstream's checkout pip install '.[tensorrt]'"
    )


def test_without_a_gpu_nothing_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    """The driver's own library is asked, which takes no time."""
    monkeypatch.setattr(probing, "find_card", lambda: None)
    monkeypatch.setattr(probing, "asked", lambda _: pytest.fail("started a process"))
    assert why_not("torch") == "expected an NVIDIA GPU with its driver, found none"
    assert why_not("torch", "cpu") == ""


def test_rtx_is_not_tried_on_cards_that_it_has_no_kernels_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its probe asks the library itself, and needs torch for no such answer."""
    monkeypatch.setattr(probing, "find_card", lambda: HOPPER)
    monkeypatch.setattr(library, "load", lambda name: Library(name, load("tensorrt_rtx").module, "1.7.1"))
    found = "found NVIDIA H100 (compute capability 9.0, driver 570.86.15)"
    assert probing.answer("tensorrt_rtx").endswith(found)


@pytest.mark.parametrize("runtime", ["tensorrt", "tensorrt_rtx"])
def test_only_torch_computes_on_the_processor(runtime: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asking TensorRT for the processor is a mistake, and said so."""
    monkeypatch.setattr(probing, "find_spec", lambda _: object())
    assert "needs an NVIDIA GPU" in why_not(runtime, "cpu")


class Torch:
    """As much of torch as the probe computes with, on a card that answers or fails."""

    __version__ = "2.9.0"

    def __init__(self, answer: float | Exception) -> None:
        self._answer = answer
        self.asked: list[tuple[int, str]] = []

    def zeros(self, n: int, device: str) -> Torch:
        self.asked.append((n, device))
        return self

    def add_(self, _: int) -> Torch:
        return self

    def sum(self) -> Torch:
        return self

    def item(self) -> float:
        """Wait for the card, where whatever is wrong with it comes out."""
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer


def test_a_card_that_computes_is_no_reason() -> None:
    """The sum is computed on the GPU."""
    torch = Torch(8.0)
    assert computes(torch) == ""
    assert torch.asked == [(8, "cuda")]


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        (
            RuntimeError("CUDA error: no kernel image is available for execution on the device\nCompile with ..."),
            ": CUDA error: no kernel image is available for execution on the device",
        ),
        (RuntimeError("CUDA error: all CUDA-capable devices are busy or unavailable"), ": CUDA error: all CUDA-cap"),
        (RuntimeError(""), ": RuntimeError"),
        (7.0, " 7 for a sum of 8"),
    ],
)
def test_a_card_that_torch_sees_and_does_not_compute_on_is_a_reason(answer: float | Exception, found: str) -> None:
    """No kernels for it, another process's alone, or broken: the first line of the library's words."""
    reason = computes(Torch(answer))
    assert reason.startswith(f"expected a GPU that torch 2.9.0 computes on, found{found}")
    assert "\n" not in reason


def test_the_answer_of_the_probe_is_what_computing_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seeing a GPU is not enough, for torch and for what stands on it."""
    broken = Torch(RuntimeError("CUDA error: an illegal instruction was encountered"))
    broken.cuda = SimpleNamespace(is_available=lambda: True)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torch", broken)  # type: ignore[arg-type]
    assert "illegal instruction" in probing.answer("torch")


def made_by(runtime: Callable[[Any], object]) -> Library:
    """Return a library whose runtimes are made so."""

    class Logger:
        """The interface that loggers implement."""

        INTERNAL_ERROR, ERROR, WARNING = range(3)

    class Module:
        """As much of the module as the probe uses."""

        ILogger, Runtime = Logger, staticmethod(runtime)

    return Library("tensorrt", Module, "11.4.1")


def test_a_library_that_makes_no_runtime_is_a_reason_in_its_own_words() -> None:
    """It says why to its logger, and the binding that it was given nothing."""

    def fail(logger: Any) -> object:
        logger.log(1, "CUDA initialization failure with error: 46")
        raise TypeError("pybind11::init(): factory function returned nullptr")

    reason = starts(made_by(fail))
    assert reason == (
        "expected tensorrt 11.4.1 to start on this GPU, found: CUDA initialization failure with error: 46"
    )
    assert starts(made_by(lambda _: object())) == ""
