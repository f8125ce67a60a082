"""ONNX Runtime's CUDA provider: what runs of it without a GPU, on the CPU's provider, and what it refuses."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import onnxruntime
import pytest

from classifiers.bundle.folder import load_bundle
from classifiers.runtimes import onnx_cuda, opening
from classifiers.runtimes.casting import Dtype
from classifiers.runtimes.errors import RuntimeUnavailable
from classifiers.runtimes.golden import self_test
from classifiers.runtimes.onnx_cuda import OnnxProgram
from classifiers.runtimes.opening import RuntimeOptions, open_engine
from classifiers.runtimes.program import Program, joined_programs
from classifiers.runtimes.program_engine import ProgramEngine
from classifiers.runtimes.tensorrt.card import Card
from classifiers.suite import default_bundles

CPU = "CPUExecutionProvider"


@pytest.fixture(scope="module")
def spectral() -> Program:
    """Return the three spectral bundles as one program."""
    bundles = [load_bundle(folder) for folder in default_bundles()]
    return next(program for program in joined_programs(bundles) if len(program.bundles) > 1)


def test_every_bundle_of_a_program_gives_its_golden_answers(spectral: Program) -> None:
    """One session answers for all, each under its own name."""
    program = OnnxProgram(spectral, CPU)
    for bundle in spectral.bundles:
        report = self_test(bundle, ProgramEngine(bundle.manifest.name, onnx_cuda.RUNTIME, "fp32", program))
        assert report is not None
        assert report.rows > 0


@pytest.mark.parametrize("n", [1, 3, 4, 9])
def test_batches_are_cut_and_padded_to_buckets_and_padding_never_leaks(spectral: Program, n: int) -> None:
    """A row's answer is the same alone and among others, but for what another bucket does to last bits."""
    rng = np.random.default_rng(n)
    flux = rng.normal(1.0, 0.2, (n, 1557)).astype(np.float32)
    inputs = {"flux": flux, "inverse_variance": np.full_like(flux, 30.0)}
    found = OnnxProgram(spectral, CPU, buckets=(2, 4)).run(inputs)
    whole = OnnxProgram(spectral, CPU, buckets=(64,)).run(inputs)
    for bundle, columns in whole.items():
        for name, values in columns.items():
            assert found[bundle][name].shape == values.shape
            assert len(values) == n
            np.testing.assert_allclose(found[bundle][name], values, rtol=1e-3, atol=1e-3)


def test_a_session_that_falls_back_to_the_cpu_is_refused(spectral: Program) -> None:
    """The library only warns; here it is an error that names both."""
    assert CPU in onnxruntime.get_available_providers()
    assert not onnx_cuda.is_built_in()
    with pytest.warns(UserWarning, match="CUDAExecutionProvider"), pytest.raises(RuntimeUnavailable, match=CPU):
        OnnxProgram(spectral)


@pytest.mark.parametrize(("dtype", "use_tf32"), [("fp32", "0"), ("tf32", "1")])
def test_products_are_rounded_to_tf32_where_it_is_asked_for_alone(
    spectral: Program, dtype: Dtype, use_tf32: str
) -> None:
    """The provider's own default is on, which records that say fp32 would not."""
    given: list[Any] = []

    def opened(graph: bytes, options: onnxruntime.SessionOptions, providers: list[Any]) -> Any:
        given.extend(providers)
        assert options.intra_op_num_threads == 1
        assert graph == spectral.graph
        return SimpleNamespace(get_providers=lambda: [onnx_cuda.PROVIDER])

    OnnxProgram(spectral, dtype=dtype, opener=opened)
    assert given == [("CUDAExecutionProvider", {"use_tf32": use_tf32})]


@pytest.mark.parametrize("dtype", ["fp32", "tf32", "fp16", "bf16"])
def test_the_number_format_that_is_asked_for_reaches_the_provider_or_is_refused(
    monkeypatch: pytest.MonkeyPatch, dtype: Dtype
) -> None:
    """Engines name the format that their session computes in; half precision is not to be had."""
    given: list[Dtype] = []

    def program(of: Program, *, dtype: Dtype) -> OnnxProgram:
        given.append(dtype)
        return OnnxProgram(of, CPU, dtype=dtype)

    monkeypatch.setattr(opening, "find_card", lambda: Card("NVIDIA A100", "8.0", "570.86.15"))
    monkeypatch.setattr(onnx_cuda, "is_built_in", lambda: True)
    monkeypatch.setattr(opening.onnx_cuda, "OnnxProgram", program)
    bundle = load_bundle(next(folder for folder in default_bundles() if folder.name == "qso-finder"))
    asked = RuntimeOptions("onnxruntime", dtype, "cuda")
    if dtype in ("fp16", "bf16"):
        with pytest.raises(RuntimeUnavailable, match=f"expected dtype = fp32 or tf32, received {dtype}"):
            open_engine(bundle, asked)
        return
    engine = open_engine(bundle, asked)
    assert (engine.runtime, engine.dtype) == ("onnxruntime_cuda", dtype)
    assert given == [dtype]


def test_a_card_without_tf32_is_not_said_to_compute_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Turing would compute in fp32, and the records would name another format."""
    monkeypatch.setattr(opening, "find_card", lambda: Card("Tesla T4", "7.5", "570.86.15"))
    monkeypatch.setattr(onnx_cuda, "is_built_in", lambda: True)
    bundle = load_bundle(next(folder for folder in default_bundles() if folder.name == "qso-finder"))
    with pytest.raises(RuntimeUnavailable, match=r"fp32 on Tesla T4 \(compute capability 7.5\), received tf32"):
        open_engine(bundle, RuntimeOptions("onnxruntime", "tf32", "cuda"))
