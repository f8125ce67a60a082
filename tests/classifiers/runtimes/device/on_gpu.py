"""What only a GPU can show; ``make test-gpu`` collects this file, nothing else does.

It needs torch with CUDA, numpy, onnxruntime and pytest beside this repository (``tests.bare``).
"""

from __future__ import annotations

import subprocess
import sys
import textwrap
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from classifiers.bundle.folder import load_bundle
from classifiers.items import GridAxis, Spectrum
from classifiers.preprocess.grid import COMMON_GRID
from classifiers.preprocess.prepare import prepare
from classifiers.runtimes import onnx_cuda
from classifiers.runtimes.casting import DTYPES, Dtype
from classifiers.runtimes.device.contract import SLOTS, OutOfMemory
from classifiers.runtimes.device.pipeline import Pipeline
from classifiers.runtimes.device.prepare import DevicePreparation
from classifiers.runtimes.device.preparing import PreparingPipeline
from classifiers.runtimes.device.streams import Cuda
from classifiers.runtimes.device.tensors import TensorDevice
from classifiers.runtimes.golden import compare_golden
from classifiers.runtimes.opening import RuntimeOptions, open_engines
from classifiers.runtimes.probing import why_not
from classifiers.runtimes.program import Program
from classifiers.runtimes.torch_runtime import open_torch, torch_launcher
from tests.bare import STOOD_IN

pytestmark = pytest.mark.gpu
ROOT = Path(__file__).resolve().parents[4]
MODELS = ROOT / "classifiers" / "models"
FOLDERS = sorted(path.parent for path in MODELS.glob("*/bundle.json"))
SPECTRAL = ("spectral-classifier", "spectral-anomaly", "qso-finder")
BUCKETS = (16, 64, 256)


def _runtimes() -> list[str]:
    """Return torch and the first TensorRT that can serve here (the two must not meet); say why another cannot."""
    found = ["torch"]
    for name in ("tensorrt", "tensorrt_rtx"):
        reason = "tensorrt is tested, and the two must not meet" if len(found) > 1 else why_not(name)
        reason = reason or ("its graphs are joined with onnx, which is not installed" if "onnx" in STOOD_IN else "")
        if reason:
            warnings.warn(f"{name} is not tested: {reason}", stacklevel=2)
        else:
            found.append(name)
    return found


RUNTIMES = _runtimes()
PROVIDER = onnx_cuda.is_built_in() and "onnx" not in STOOD_IN
"""Whether onnxruntime computes on the card: the ordinary build has no CUDA provider, and onnx joins its graphs."""
if not PROVIDER:
    warnings.warn("onnxruntime is not tested on the card: it has no CUDA provider, or onnx is not there", stacklevel=1)


@pytest.fixture(scope="module")
def program() -> Program:
    return Program.of([load_bundle(MODELS / name) for name in SPECTRAL])


def rows(n: int, seed: int = 0) -> dict[str, NDArray[np.float32]]:
    """Return n normalised spectra of different slopes and noise."""
    rng = np.random.default_rng(seed)
    slope = rng.uniform(-0.5, 0.5, (n, 1)) * np.linspace(-1.0, 1.0, COMMON_GRID.n)
    flux = (1.0 + slope + rng.normal(0.0, 0.1, slope.shape)).astype(np.float32)
    inverse_variance = np.full(slope.shape, 100.0, np.float32)
    masked = rng.random(slope.shape) < 0.05
    flux[masked] = inverse_variance[masked] = 0.0
    return {"flux": flux, "inverse_variance": inverse_variance}


def spectra(n: int) -> list[Spectrum]:
    """Return raw spectra of two surveys."""
    rng = np.random.default_rng(3)
    axes = (GridAxis("LOG10", 3.5501, 1e-4, 4600), GridAxis("LINEAR", 3700.0, 0.25, 23201))
    made = []
    for place in range(n):
        axis = axes[place % 2]
        sigma = rng.uniform(0.5, 2.0, axis.n)
        flux = (5.0 + sigma * rng.standard_normal(axis.n)).astype(np.float32)
        flux[rng.integers(0, axis.n, 5)] = np.nan
        made.append(
            Spectrum(
                axis, "VACUUM", flux, sigma.astype(np.float32), "SIGMA", "1e-17 erg/s/cm2/Angstrom",
                (rng.random(axis.n) < 0.03).astype(np.int32), 0.0, 2000.0, "DISPERSED", sky_fibre=False,
            )
        )  # fmt: skip
    return made


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
@pytest.mark.parametrize("runtime", RUNTIMES)
def test_golden_answers_hold_in_every_number_format(runtime: str, folder: Path, dtype: Dtype) -> None:
    bundle = load_bundle(folder)
    opened = open_engines([bundle], RuntimeOptions(runtime, dtype, "cuda", largest_batch=BUCKETS[-1]))
    ((engine,), (rehearsed,)) = opened.engines, opened.rehearsals
    assert (rehearsed.buckets, rehearsed.slots) == (BUCKETS, SLOTS)
    report = compare_golden(bundle, engine)
    assert report is not None
    assert report.excess(bundle.manifest.tolerances[dtype]) is None, report


@pytest.mark.parametrize("dtype", onnx_cuda.DTYPES if PROVIDER else [])
@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_golden_answers_hold_on_onnxruntimes_provider(folder: Path, dtype: Dtype) -> None:
    bundle = load_bundle(folder)
    opened = open_engines([bundle], RuntimeOptions("onnxruntime", dtype, "cuda", largest_batch=BUCKETS[-1]))
    ((engine,), (rehearsed,)) = opened.engines, opened.rehearsals
    assert (rehearsed.buckets, rehearsed.slots) == (BUCKETS, SLOTS)
    report = compare_golden(bundle, engine)
    assert report is not None
    assert report.excess(bundle.manifest.tolerances[dtype]) is None, report


@pytest.mark.parametrize("n", [1, 15, 16, 17, 300, 1000])
def test_a_gpu_answers_as_cpu_tensors_do(program: Program, n: int) -> None:
    inputs = rows(n)
    found = open_torch(program, "fp32", "cuda", buckets=BUCKETS).run(inputs)
    wanted = open_torch(program, "fp32", "cpu", buckets=BUCKETS).run(inputs)
    for name, outputs in wanted.items():
        for output, values in outputs.items():
            if values.dtype == np.float32 and not output.startswith("alternative"):
                np.testing.assert_allclose(found[name][output], values, rtol=1e-3, atol=1e-3, equal_nan=True)


def test_captured_graphs_answer_as_launches_do(program: Program) -> None:
    inputs = rows(500)
    launcher = torch_launcher(program, "fp32", "cuda")
    outputs = {each.name: each.tensor for each in program.outputs}
    found = [
        Pipeline(program, TensorDevice(launcher, program.inputs, outputs, streams=streams), BUCKETS).run(inputs)
        for streams in (Cuda("cuda"), Cuda("cuda", graphs=False))
    ]
    for name, answers in found[0].items():
        for output, values in answers.items():
            np.testing.assert_allclose(found[1][name][output], values, rtol=1e-5, atol=1e-5)


def test_callers_at_once_each_get_their_own_rows(program: Program) -> None:
    pipeline = open_torch(program, "fp32", "cuda", buckets=BUCKETS, slots=3)
    batches = [rows(50 + 97 * seed, seed) for seed in range(8)]
    wanted = [pipeline.run(batch) for batch in batches]
    with ThreadPoolExecutor(8) as pool:
        for _ in range(3):
            for found, right in zip(pool.map(pipeline.run, batches), wanted, strict=True):
                values = found["spectral-classifier"]["class_logits"]
                np.testing.assert_allclose(values, right["spectral-classifier"]["class_logits"], rtol=1e-3, atol=1e-3)


def test_spectra_are_prepared_on_the_gpu_as_on_the_cpu(program: Program) -> None:
    preparation = DevicePreparation()
    pipeline = open_torch(program, "fp32", "cuda", buckets=BUCKETS, preparation=preparation)
    items = spectra(100)
    found, wanted = PreparingPipeline(pipeline, preparation, COMMON_GRID).run(items), prepare(items, COMMON_GRID)
    np.testing.assert_array_equal(found.prepared.quality_flags, wanted.quality_flags)
    np.testing.assert_array_equal(found.prepared.coverage, wanted.coverage)
    np.testing.assert_array_equal(found.prepared.inverse_variance > 0, wanted.inverse_variance > 0)
    np.testing.assert_allclose(found.prepared.inverse_variance, wanted.inverse_variance, rtol=2e-6)
    np.testing.assert_allclose(found.prepared.flux, wanted.flux, rtol=2e-6, atol=2e-6)
    np.testing.assert_allclose(found.prepared.scale, wanted.scale, rtol=2e-6)
    np.testing.assert_allclose(found.prepared.snr, wanted.snr, rtol=2e-6)


def test_a_full_card_computes_in_smaller_buckets_and_says_so(program: Program) -> None:
    told: list[str] = []
    pipeline = open_torch(program, "fp32", "cuda", told.append, buckets=(16, 65_536))
    pipeline.run(rows(16))
    free, _ = torch.cuda.mem_get_info()
    taken = torch.empty(max(0, free - 2**30), dtype=torch.uint8, device="cuda")
    try:
        found = pipeline.run(rows(20_000))
    finally:
        del taken
        torch.cuda.empty_cache()
    assert len(found["spectral-anomaly"]["score"]) == 20_000
    assert pipeline.buckets == (16,)
    assert len(told) == 1
    assert "16 at once" in told[0]


def test_a_card_without_room_for_the_smallest_bucket_is_out_of_memory(program: Program) -> None:
    pipeline = open_torch(program, "fp32", "cuda", buckets=(65_536,))
    free, _ = torch.cuda.mem_get_info()
    taken = torch.empty(max(0, free - 2**30), dtype=torch.uint8, device="cuda")
    try:
        with pytest.raises(OutOfMemory, match="65536 rows"):
            pipeline.run(rows(16))
    finally:
        del taken
        torch.cuda.empty_cache()


def test_a_failed_kernel_is_a_lost_device() -> None:
    """In a process of its own, since nothing can be computed in it afterwards."""
    program = """
        import numpy as np
        from classifiers.bundle.manifest import Tensor
        from classifiers.runtimes.device.contract import DeviceLost
        from classifiers.runtimes.device.pipeline import Pipeline
        from classifiers.runtimes.device.tensors import TensorDevice
        from classifiers.runtimes.program import Output, Program
        from classifiers.runtimes.torch_runtime import TorchLauncher

        def broken(inputs):
            place = inputs["x"][:, :1].long()
            return {"p/y": inputs["x"].gather(1, place)[:, 0]}

        x, y = Tensor(name="x", shape=(4,)), Tensor(name="y", shape=())
        device = TensorDevice(TorchLauncher(broken), [x], {"p/y": y}, "cuda")
        pipeline = Pipeline(Program((), (x,), (Output("p", y, "p/y"),)), device, (4,))
        assert pipeline.run({"x": np.ones((8, 4), np.float32)})["p"]["y"].tolist() == [1.0] * 8
        for _ in range(2):
            try:
                pipeline.run({"x": np.full((8, 4), 1e6, np.float32)})
            except DeviceLost as error:
                print("lost:", error.reason)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.stdout.count("lost:") == 2, done.stderr


def test_compiled_modules_answer_as_others_do(program: Program) -> None:
    inputs = rows(16)
    found: Any = open_torch(program, "fp32", "cuda", buckets=(16,), compiled=True).run(inputs)
    wanted = open_torch(program, "fp32", "cuda", buckets=(16,)).run(inputs)
    for output in ("class_logits", "energy", "redshift"):
        values = wanted["spectral-classifier"][output]
        np.testing.assert_allclose(found["spectral-classifier"][output], values, rtol=1e-3, atol=1e-3)
