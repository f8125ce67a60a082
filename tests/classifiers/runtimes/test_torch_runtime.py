"""The torch runtime on CPU tensors: it answers as the graphs do, whatever the number of rows and the number format."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import load, save

from classifiers.bundle.errors import BundleError
from classifiers.bundle.folder import GOLDEN_FILE, MANIFEST_FILE, WEIGHTS_FILE, Bundle, load_bundle
from classifiers.bundle.manifest import Tolerance
from classifiers.runtimes.casting import DTYPES, Dtype
from classifiers.runtimes.golden import compare_golden
from classifiers.runtimes.onnx_cpu import OnnxEngine
from classifiers.runtimes.opening import RuntimeOptions, open_engines
from classifiers.runtimes.program import Program
from classifiers.runtimes.program_engine import ProgramEngine
from classifiers.runtimes.torch_modules import ARCHITECTURES, ProgramModule, rebuilt
from classifiers.runtimes.torch_runtime import no_format, open_torch, version
from classifiers.suite import MODELS, default_bundles
from classifiers.training.tolerances import TOLERANCES

SPECTRAL = ("spectral-classifier", "spectral-anomaly", "qso-finder")
BUCKETS = (2, 16, 64)


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def spectral() -> list[Bundle]:
    return [load_bundle(MODELS / name) for name in SPECTRAL]


def golden(bundle: Bundle) -> tuple[dict[str, NDArray[np.float32]], dict[str, NDArray[Any]]]:
    """Return the inputs and outputs that a bundle carries."""
    with np.load(bundle.folder / GOLDEN_FILE, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    inputs = {name.removeprefix("input_"): value for name, value in arrays.items() if name.startswith("input_")}
    outputs = {name.removeprefix("output_"): value for name, value in arrays.items() if name.startswith("output_")}
    return inputs, outputs


ROUNDED = np.float32(1e-6)
"""Of the largest flux of a row, by the layers that draw it in float32."""


def tiled(inputs: dict[str, NDArray[np.float32]], n: int) -> dict[str, NDArray[np.float32]]:
    """Return n rows, each another one by its size."""
    size = np.linspace(0.5, 2.0, n, dtype=np.float32)
    repeats = -(-n // len(next(iter(inputs.values()))))
    rows = {name: np.tile(array, (repeats, *[1] * (array.ndim - 1)))[:n] for name, array in inputs.items()}
    first = next(iter(rows))
    rows[first] = rows[first] * size.reshape(-1, *[1] * (rows[first].ndim - 1))
    return rows


def largest(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the largest size in each row, (n, 1)."""
    return np.asarray(np.abs(rows).max(axis=1, keepdims=True))


@pytest.mark.slow
@pytest.mark.parametrize("n", [1, 2, 15, 17, 64, 100, 300])
def test_any_number_of_rows_gets_what_onnxruntime_says(spectral: list[Bundle], n: int) -> None:
    inputs = tiled(golden(spectral[0])[0], n)
    found = open_torch(Program.of(spectral), "fp32", "cpu", buckets=BUCKETS).run(inputs)
    for bundle in spectral:
        for name, wanted in OnnxEngine(bundle).run(inputs).items():
            answer = found[bundle.manifest.name][name]
            assert answer.shape == wanted.shape
            assert answer.dtype == wanted.dtype
            within = np.full((n, *[1] * (wanted.ndim - 1)), 2e-4, np.float32)
            if name == "contribution":  # squares of residuals in errors: a flux is rounded in units of its own error
                answer, wanted = np.sqrt(answer), np.sqrt(wanted)
                within += ROUNDED * largest(inputs["flux"]) * np.sqrt(largest(inputs["inverse_variance"]))
            if wanted.dtype == np.float32 and not name.startswith("alternative"):
                far = ~np.isclose(answer, wanted, rtol=2e-4, atol=within, equal_nan=True)
                assert not far.any(), (name, np.argwhere(far)[:5], answer[far][:5], wanted[far][:5])


def test_the_spectral_bundles_share_one_trunk(spectral: list[Bundle]) -> None:
    calls: list[str] = []
    module = ProgramModule(spectral)
    assert module.shares_trunk
    for name, each in module.named_modules():
        if name.endswith(".trunk"):
            each.register_forward_hook(lambda *_, name=name: calls.append(name))
    inputs, _ = golden(spectral[0])
    module({name: torch.from_numpy(array) for name, array in inputs.items()})
    assert len(calls) == 1


def test_a_finder_with_a_trunk_of_its_own_computes_it(spectral: list[Bundle], tmp_path: Path) -> None:
    finder = spectral[2]
    moved = with_weights(finder, tmp_path / "finder", "network.trunk.stem.bias", 0.1)
    module = ProgramModule([spectral[0], moved])
    assert not module.shares_trunk
    inputs, outputs = golden(finder)
    found = module({name: torch.from_numpy(array) for name, array in inputs.items()})
    assert not np.allclose(found["qso-finder/qso_logit"].numpy(), outputs["qso_logit"], rtol=1e-3)
    alone = ProgramModule([moved])({name: torch.from_numpy(array) for name, array in inputs.items()})
    assert torch.equal(found["qso-finder/qso_logit"], alone["qso-finder/qso_logit"])


def with_weights(bundle: Bundle, folder: Path, name: str, added: float) -> Bundle:
    """Return a copy of a bundle with something added to one of its weights, and the digest of its file put right."""
    shutil.copytree(bundle.folder, folder)
    stored = load((folder / WEIGHTS_FILE).read_bytes())
    stored[name] = stored[name] + added
    content = bytes(save(stored))
    (folder / WEIGHTS_FILE).write_bytes(content)
    text = (folder / MANIFEST_FILE).read_text()
    digest = hashlib.sha256(content).hexdigest()
    (folder / MANIFEST_FILE).write_text(text.replace(bundle.manifest.files[WEIGHTS_FILE], digest))
    return load_bundle(folder)


def test_weights_of_another_digest_are_refused(spectral: list[Bundle], tmp_path: Path) -> None:
    folder = tmp_path / "changed"
    shutil.copytree(spectral[2].folder, folder)
    bundle = load_bundle(folder)
    content = bytearray((folder / WEIGHTS_FILE).read_bytes())
    content[-1] ^= 1
    (folder / WEIGHTS_FILE).write_bytes(content)
    with pytest.raises(BundleError, match="expected sha256"):
        rebuilt(bundle)


def test_a_bundle_of_an_unknown_architecture_names_the_known_ones(write_tiny: Any) -> None:
    bundle = load_bundle(write_tiny("qso", architecture="of-another-kind"))
    with pytest.raises(BundleError, match=r"specstream-qso-finder-3.*of-another-kind"):
        rebuilt(bundle)


def test_a_bundle_without_weights_says_so(write_tiny: Any) -> None:
    bundle = load_bundle(write_tiny("qso", architecture="specstream-qso-finder-3"))
    with pytest.raises(BundleError, match=r"weights.safetensors.*no such file"):
        rebuilt(bundle)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("folder", default_bundles(), ids=lambda folder: folder.name)
def test_golden_answers_hold_in_every_number_format(folder: Path, dtype: Dtype) -> None:
    bundle = load_bundle(folder)
    pipeline = open_torch(Program.of([bundle]), dtype, "cpu", buckets=BUCKETS)
    report = compare_golden(bundle, ProgramEngine(folder.name, "torch", dtype, pipeline))
    assert report is not None
    assert report.excess(Tolerance(**TOLERANCES[dtype])) is None, report
    assert (report.relative > 1e-5) == (dtype in ("fp16", "bf16"))


@pytest.mark.slow
@pytest.mark.parametrize("n", [1, 17, 70])
@pytest.mark.parametrize("name", ["stamp-anomaly", "jpas-qso-finder"])
def test_other_lanes_get_what_onnxruntime_says(name: str, n: int) -> None:
    bundle = load_bundle(MODELS / name)
    inputs = tiled(golden(bundle)[0], n)
    found = open_torch(Program.of([bundle]), "fp32", "cpu", buckets=BUCKETS).run(inputs)[name]
    for output, wanted in OnnxEngine(bundle).run(inputs).items():
        np.testing.assert_allclose(found[output], wanted, rtol=2e-4, atol=2e-4)


@pytest.mark.parametrize("dtype", ["fp16", "bf16"])
def test_half_precision_is_kept_out_of_what_is_answered(spectral: list[Bundle], dtype: Dtype) -> None:
    module = ProgramModule(spectral, dtype)
    halves = {str(value.dtype) for value in module.state_dict().values()}
    assert halves == {"torch.float32", {"fp16": "torch.float16", "bf16": "torch.bfloat16"}[dtype]}
    inputs, _ = golden(spectral[0])
    answers = module({name: torch.from_numpy(array) for name, array in inputs.items()})
    assert {value.dtype for value in answers.values()} == {torch.float32, torch.int64}
    for part in module.parts:
        last = [name for name, value in part.state_dict().items() if value.dtype != torch.float32]
        assert not any(name.startswith(("network.head", "network.other", "network.novel.")) for name in last)


def test_every_named_layer_of_an_architecture_is_there() -> None:
    for architecture in ARCHITECTURES.values():
        module = architecture.make()
        for name in architecture.half:
            module.get_submodule(name)


@pytest.mark.parametrize(
    ("dtype", "capability", "serves"),
    [("fp32", (7, 5), True), ("fp16", (7, 5), True), ("tf32", (7, 5), False), ("bf16", (7, 5), False),
     ("tf32", (8, 0), True), ("bf16", (12, 0), True)],
)  # fmt: skip
def test_a_card_is_asked_for_no_format_that_it_lacks(dtype: Dtype, capability: tuple[int, int], serves: bool) -> None:
    reason = no_format(dtype, "Some Card", capability)
    assert (reason == "") == serves
    if reason:
        assert reason == f"expected dtype = fp32 or fp16 on Some Card (compute capability 7.5), received {dtype}"


def test_the_version_is_torchs() -> None:
    assert version() == torch.__version__


@pytest.mark.parametrize("compiled", [False, True])
def test_kernels_are_fused_where_that_is_set_and_nowhere_else(monkeypatch: pytest.MonkeyPatch, compiled: bool) -> None:
    asked: list[bool] = []

    def compile_module(module: torch.nn.Module, *, dynamic: bool) -> torch.nn.Module:
        asked.append(dynamic)
        return module

    monkeypatch.setattr(torch, "compile", compile_module)
    bundle = load_bundle(MODELS / "jpas-qso-finder")
    options = RuntimeOptions("torch", device="cpu", largest_batch=16, compiled=compiled)
    assert open_engines([bundle], options).engines[0].runtime == "torch"
    assert asked == ([False] if compiled else [])
