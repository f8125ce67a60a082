"""Asking whether a runtime can serve: what is asked first, and what its process may do to itself."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence

import pytest

from classifiers.runtimes import probing
from classifiers.runtimes.probing import PROBE_TIMEOUT_S, asked, why_not
from classifiers.runtimes.tensorrt.card import Card

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
    assert why_not("tensorrt") == "expected the package tensorrt (extra tensorrt of specstream), found none"


def test_without_a_gpu_nothing_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    """The driver's own library is asked, which takes no time."""
    monkeypatch.setattr(probing, "find_card", lambda: None)
    monkeypatch.setattr(probing, "asked", lambda _: pytest.fail("started a process"))
    assert why_not("torch") == "expected an NVIDIA GPU with its driver, found none"
    assert why_not("torch", "cpu") == ""


def test_rtx_is_not_tried_on_cards_that_it_has_no_kernels_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """TensorRT for RTX does not run on Hopper; TensorRT does."""
    monkeypatch.setattr(probing, "find_spec", lambda _: object())
    monkeypatch.setattr(probing, "find_card", lambda: HOPPER)
    monkeypatch.setattr(probing, "asked", lambda _: "")
    found = "found NVIDIA H100 (compute capability 9.0, driver 570.86.15)"
    assert why_not("tensorrt_rtx") == f"expected an RTX card, {found}"
    assert why_not("tensorrt") == ""


@pytest.mark.parametrize("runtime", ["tensorrt", "tensorrt_rtx"])
def test_only_torch_computes_on_the_processor(runtime: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asking TensorRT for the processor is a mistake, and said so."""
    monkeypatch.setattr(probing, "find_spec", lambda _: object())
    assert "needs an NVIDIA GPU" in why_not(runtime, "cpu")
