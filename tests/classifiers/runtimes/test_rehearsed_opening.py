"""Engines are opened with a rehearsal, and what fails it is not opened."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
import torch

from classifiers.bundle.folder import Bundle, load_bundle
from classifiers.runtimes import opening
from classifiers.runtimes.device.contract import SLOTS, DeviceLost
from classifiers.runtimes.errors import RuntimeUnavailable
from classifiers.runtimes.opening import RuntimeOptions, open_engines
from classifiers.runtimes.program import Program
from classifiers.suite import MODELS
from tests.classifiers.runtimes.faulty import engine_of, spoiled

ON_TORCH = RuntimeOptions("torch", device="cpu")


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def bands() -> Bundle:
    """Return a bundle that reads what is prepared on the CPU alone."""
    return load_bundle(MODELS / "jpas-qso-finder")


def test_engines_on_torch_are_opened_with_a_rehearsal_and_those_on_the_cpu_need_none(bands: Bundle) -> None:
    (done,) = open_engines([bands], RuntimeOptions("torch", device="cpu", largest_batch=16)).rehearsals
    assert (done.bundles, done.buckets, done.slots) == (("jpas-qso-finder",), (16,), SLOTS)
    assert done.seconds > 0
    assert open_engines([bands], RuntimeOptions("onnxruntime")).rehearsals == ()


@pytest.fixture
def faulty_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have torch answer wrongly where 64 rows are computed at once in the last slot."""

    def opened(program: Program, *_: object) -> Any:
        name = f"{program.bundles[0].manifest.name}/redshift"
        return engine_of(program.bundles[0], spoiled(name, 2, 64, 7, 1.0))[0].program

    monkeypatch.setattr(opening, "_OPENERS", {"torch": opened})


@pytest.mark.usefixtures("faulty_torch")
def test_a_named_runtime_that_fails_its_rehearsal_is_refused(bands: Bundle) -> None:
    with pytest.raises(RuntimeUnavailable, match="64 rows at once in slot 3 of 3"):
        open_engines([bands], ON_TORCH)


@pytest.mark.usefixtures("faulty_torch")
def test_auto_goes_on_to_the_next_runtime_and_says_why(bands: Bundle) -> None:
    """The bundle gave its golden answers: the runtime is at fault, and another may serve."""
    opened = open_engines([bands], RuntimeOptions(device="cpu"))
    assert opened.engines[0].runtime == "onnxruntime"
    reasons = dict(opened.refusals)
    assert "64 rows at once in slot 3 of 3: expected golden answers" in reasons["torch"]
    assert opened.rehearsals == ()


def test_bundles_that_are_one_program_are_rehearsed_as_one() -> None:
    """They share buffers and graphs; each of their answers is compared."""
    bundles = [load_bundle(MODELS / name) for name in ("spectral-anomaly", "qso-finder")]
    (done,) = open_engines(bundles, RuntimeOptions("torch", device="cpu", largest_batch=16)).rehearsals
    assert (done.bundles, done.raw) == (("spectral-anomaly", "qso-finder"), True)


@pytest.fixture
def torch_that_fails(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Return what has torch fail at its first computation, in some words."""

    def fail(words: str) -> None:
        def opened(program: Program, *_: object) -> Any:
            engine = engine_of(program.bundles[0])[0]

            def run(*_: object, **__: object) -> Any:
                raise DeviceLost(words)

            engine.program.run = run  # type: ignore[method-assign]
            return engine.program

        monkeypatch.setattr(opening, "_OPENERS", {"torch": opened})

    return fail


@pytest.mark.parametrize(
    "words",
    [
        "tensorrt: API Usage Error (no kernel for this shape)",
        "CUDA error: no kernel image is available for execution on the device",
        "cuDNN error: CUDNN_STATUS_NOT_SUPPORTED",
    ],
)
def test_a_first_computation_that_fails_for_no_fault_of_the_card_is_another_runtimes_turn(
    bands: Bundle, torch_that_fails: Callable[[str], None], words: str
) -> None:
    torch_that_fails(words)
    with pytest.raises(RuntimeUnavailable, match=re.escape(words)):
        open_engines([bands], ON_TORCH)
    opened = open_engines([bands], RuntimeOptions(device="cpu"))
    assert opened.engines[0].runtime == "onnxruntime"
    assert words in dict(opened.refusals)["torch"]


@pytest.mark.parametrize(
    "words", ["CUDA error: an illegal memory access was encountered", "tensorrt: Cuda Runtime (unspecified failure)"]
)
def test_a_card_that_fails_is_lost_whoever_else_could_serve(
    bands: Bundle, torch_that_fails: Callable[[str], None], words: str
) -> None:
    """Another replica is to take over, not this machine's processor."""
    torch_that_fails(words)
    for options in (ON_TORCH, RuntimeOptions(device="cpu")):
        with pytest.raises(DeviceLost, match=re.escape(words)):
            open_engines([bands], options)
