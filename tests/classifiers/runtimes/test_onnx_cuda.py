"""ONNX Runtime's CUDA provider: what runs of it without a GPU, on the CPU's provider, and what it refuses."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest

from classifiers.bundle.folder import load_bundle
from classifiers.runtimes import onnx_cuda
from classifiers.runtimes.errors import RuntimeUnavailable
from classifiers.runtimes.golden import self_test
from classifiers.runtimes.onnx_cuda import OnnxProgram
from classifiers.runtimes.program import Program, programs
from classifiers.runtimes.program_engine import ProgramEngine
from classifiers.suite import default_bundles

CPU = "CPUExecutionProvider"


@pytest.fixture(scope="module")
def spectral() -> Program:
    """Return the three spectral bundles as one program."""
    bundles = [load_bundle(folder) for folder in default_bundles()]
    return next(program for program in programs(bundles) if len(program.bundles) > 1)


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
