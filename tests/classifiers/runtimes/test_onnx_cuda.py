"""ONNX Runtime's CUDA provider: what runs of it without a GPU, on the CPU's provider, and what it refuses."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnxruntime
import pytest

from classifiers.bundle.folder import load_bundle
from classifiers.runtimes import onnx_cuda, opening
from classifiers.runtimes.casting import Dtype
from classifiers.runtimes.device.contract import BUCKETS, DeviceLost
from classifiers.runtimes.device.pipeline import Pipeline
from classifiers.runtimes.errors import RuntimeUnavailable
from classifiers.runtimes.golden import self_test
from classifiers.runtimes.onnx_cuda import OnnxDevice, open_onnx_cuda
from classifiers.runtimes.opening import RuntimeOptions, open_engine, open_engines
from classifiers.runtimes.program import Program
from classifiers.runtimes.program_engine import ProgramEngine
from classifiers.runtimes.tensorrt.card import Card
from classifiers.suite import default_bundles

CPU = "CPUExecutionProvider"
RowsOf = Callable[[Program, int], dict[str, Any]]


def on_cpu(program: Program, buckets: tuple[int, ...] = BUCKETS, notice: Callable[[str], None] = print) -> Pipeline:
    return open_onnx_cuda(program, "fp32", notice, provider=CPU, buckets=buckets)


def test_every_bundle_of_a_program_gives_its_golden_answers(spectral_program: Program) -> None:
    """One session answers for all, each under its own name."""
    program = on_cpu(spectral_program)
    for bundle in spectral_program.bundles:
        report = self_test(bundle, ProgramEngine(bundle.manifest.name, onnx_cuda.RUNTIME, "fp32", program))
        assert report.rows > 0


@pytest.mark.parametrize("n", [1, 3, 4, 9])
def test_batches_are_cut_and_padded_to_buckets_and_padding_never_leaks(spectral_program: Program, n: int) -> None:
    """A row's answer is the same alone and among others, but for what another bucket does to last bits."""
    rng = np.random.default_rng(n)
    flux = rng.normal(1.0, 0.2, (n, 1557)).astype(np.float32)
    inputs = {"flux": flux, "inverse_variance": np.full_like(flux, 30.0)}
    found = on_cpu(spectral_program, (2, 4)).run(inputs)
    whole = on_cpu(spectral_program, (64,)).run(inputs)
    for bundle, columns in whole.items():
        for name, values in columns.items():
            assert found[bundle][name].shape == values.shape
            assert len(values) == n
            np.testing.assert_allclose(found[bundle][name], values, rtol=1e-3, atol=1e-3)


def test_a_session_that_falls_back_to_the_cpu_is_refused(spectral_program: Program) -> None:
    """The library only warns; here it is an error that names both."""
    assert CPU in onnxruntime.get_available_providers()
    assert not onnx_cuda.is_built_in()
    with pytest.warns(UserWarning, match="CUDAExecutionProvider"), pytest.raises(RuntimeUnavailable, match=CPU):
        OnnxDevice(spectral_program)


@pytest.mark.parametrize(("dtype", "use_tf32"), [("fp32", "0"), ("tf32", "1")])
def test_products_are_rounded_to_tf32_where_it_is_asked_for_alone(
    spectral_program: Program, dtype: Dtype, use_tf32: str
) -> None:
    """The provider's own default is on, which records that say fp32 would not."""
    given: list[Any] = []

    def opened(graph: bytes, options: onnxruntime.SessionOptions, providers: list[Any]) -> Any:
        given.extend(providers)
        assert options.intra_op_num_threads == 1
        assert graph == spectral_program.graph
        told.append("opened")
        return SimpleNamespace(
            get_providers=lambda: [onnx_cuda.PROVIDER], disable_fallback=lambda: told.append("no fallback")
        )

    told: list[str] = []
    OnnxDevice(spectral_program, dtype=dtype, opener=opened)
    assert given == [("CUDAExecutionProvider", {"use_tf32": use_tf32})]
    assert told == ["opened", "no fallback"]


@pytest.mark.parametrize("dtype", ["fp32", "tf32", "fp16", "bf16"])
def test_the_number_format_that_is_asked_for_reaches_the_provider_or_is_refused(
    monkeypatch: pytest.MonkeyPatch, dtype: Dtype
) -> None:
    """Engines name the format that their session computes in; half precision is not to be had."""
    given: list[Dtype] = []

    def program(of: Program, dtype: Dtype, notice: Callable[[str], None]) -> Pipeline:
        given.append(dtype)
        return open_onnx_cuda(of, dtype, notice, provider=CPU)

    monkeypatch.setattr(opening, "find_card", lambda: Card("NVIDIA A100", "8.0", "570.86.15"))
    monkeypatch.setattr(onnx_cuda, "is_built_in", lambda: True)
    monkeypatch.setattr(onnx_cuda, "open_onnx_cuda", program)
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


FAIL = onnxruntime.capi.onnxruntime_pybind11_state.Fail
EP_FAIL = onnxruntime.capi.onnxruntime_pybind11_state.EPFail
NO_ROOM = FAIL("BFCArena::AllocateRawInternal Failed to allocate memory for requested buffer of size 9437184")
NO_KERNEL = EP_FAIL("cuDNN Frontend error: No valid engine configs for ConvolutionFwd")
LOST = FAIL("CUDA failure 700: an illegal memory access was encountered ; GPU=0 ; hostname=h")


def failing(monkeypatch: pytest.MonkeyPatch, error: Exception, rows: int, after: int = 0) -> None:
    """Have sessions raise an error at batches of so many rows and more, from some call on."""
    right, calls = onnxruntime.InferenceSession.run, []

    def run(self: Any, names: Any, inputs: Any) -> Any:
        calls.append(len(next(iter(inputs.values()))))
        if calls[-1] >= rows and len(calls) > after:
            raise error
        return right(self, names, inputs)

    monkeypatch.setattr(onnxruntime.InferenceSession, "run", run)


def test_a_bucket_without_room_is_halved_and_said_to_be(
    monkeypatch: pytest.MonkeyPatch, bands_program: Program, rows_of: RowsOf
) -> None:
    """As on the other runtimes: the answers are those of smaller batches."""
    right = on_cpu(bands_program, (16, 64)).run(rows_of(bands_program, 64))["jpas-qso-finder"]
    failing(monkeypatch, NO_ROOM, rows=64)
    told: list[str] = []
    program = on_cpu(bands_program, (16, 64), told.append)
    found = program.run(rows_of(bands_program, 64))["jpas-qso-finder"]
    np.testing.assert_allclose(found["redshift"], right["redshift"], rtol=1e-4)
    assert program.buckets == (16,)
    assert len(told) == 1
    assert "no memory on the device for 64 rows" in told[0]
    assert "batches of 16 rows from now on" in told[0]


@pytest.mark.parametrize(("error", "after"), [(LOST, 0), (LOST, 1), (NO_KERNEL, 1)])
def test_a_card_that_fails_is_lost_and_the_cpu_does_not_answer_for_it(
    monkeypatch: pytest.MonkeyPatch, bands_program: Program, error: Exception, after: int, rows_of: RowsOf
) -> None:
    """Also where what fails has worked before: the library itself would go over to the CPU and say nothing."""
    failing(monkeypatch, error, rows=16, after=after)
    program = on_cpu(bands_program, (16,))
    if after:
        program.run(rows_of(bands_program, 3))
    with pytest.raises(DeviceLost, match=r"CUDA failure 700|No valid engine"):
        program.run(rows_of(bands_program, 3))


def test_auto_serves_on_the_cpu_where_the_provider_computes_nothing(
    monkeypatch: pytest.MonkeyPatch, bands_program: Program
) -> None:
    """What has no kernels, or no libraries, before anything is consumed is refused with its words."""

    def program(of: Program, dtype: Dtype, notice: Callable[[str], None]) -> Pipeline:
        opened = open_onnx_cuda(of, dtype, notice, provider=CPU)
        failing(monkeypatch, NO_KERNEL, rows=17)
        return opened

    monkeypatch.setattr(opening, "find_card", lambda: Card("NVIDIA A100", "8.0", "570.86.15"))
    monkeypatch.setattr(opening, "ORDER", ("onnxruntime",))
    monkeypatch.setattr(onnx_cuda, "is_built_in", lambda: True)
    monkeypatch.setattr(onnx_cuda, "open_onnx_cuda", program)
    opened = open_engines(bands_program.bundles)
    assert [engine.runtime for engine in opened.engines] == ["onnxruntime"]
    ((name, reason),) = opened.refusals
    assert name == "onnxruntime"
    assert "No valid engine configs" in reason
    with pytest.raises(RuntimeUnavailable, match="No valid engine configs"):
        open_engines(bands_program.bundles, RuntimeOptions("onnxruntime", device="cuda"))


def test_a_session_that_does_not_open_is_no_fault_of_the_bundle(bands_program: Program) -> None:
    """Libraries of CUDA that are not there are named as they were by onnxruntime."""

    def opened(*_: Any, **__: Any) -> Any:
        raise RuntimeError("libcublasLt.so.12: cannot open shared object file: No such file or directory")

    with pytest.raises(RuntimeUnavailable, match=r"libcublasLt.so.12: cannot open"):
        OnnxDevice(bands_program, opener=opened)
