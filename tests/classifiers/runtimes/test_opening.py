"""Which runtime opens bundles: named ones are never replaced, auto says why, and every engine proves itself first."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from classifiers.bundle.errors import BundleError
from classifiers.bundle.folder import load_bundle
from classifiers.engine import Engine
from classifiers.runtimes import onnx_cpu, opening
from classifiers.runtimes.device.contract import OutOfMemory
from classifiers.runtimes.errors import RuntimeUnavailable
from classifiers.runtimes.opening import ORDER, RuntimeOptions, open_engine, open_engines
from classifiers.runtimes.stages import stages
from classifiers.suite import default_bundles

WriteTiny = Callable[..., Path]


def test_auto_takes_onnxruntime_and_says_why_not_the_others(write_tiny: WriteTiny) -> None:
    """Each runtime that comes before has its reason, in the order tried."""
    opened = open_engines([load_bundle(write_tiny("qso"))])
    (engine,) = opened.engines
    assert (engine.runtime, engine.dtype, engine.name) == ("onnxruntime", "fp32", "tiny-qso")
    assert [name for name, _ in opened.refusals] == ["tensorrt", "tensorrt_rtx", "torch"]
    assert all(reason.startswith("expected ") for _, reason in opened.refusals)


@pytest.mark.parametrize(("runtime", "other"), [("torch", "onnxruntime"), ("onnxruntime", "torch")])
def test_only_the_runtime_that_serves_is_imported(runtime: str, other: str) -> None:
    """To open engines and to serve with them; probes import in processes of their own."""
    bundle = next(folder for folder in default_bundles() if folder.name == "jpas-qso-finder")
    code = (
        "import sys; from pathlib import Path; from classifiers.bundle.folder import load_bundle;"
        "from classifiers.runtimes.opening import RuntimeOptions, open_engines;"
        "from classifiers.runtimes.stages import stages;"
        f"bundle = load_bundle(Path({str(bundle)!r}));"
        f"(engine,) = open_engines([bundle], RuntimeOptions({runtime!r}, device='cpu')).engines;"
        "stages([(bundle, engine)]);"
        f"print([name in sys.modules for name in ({runtime!r}, {other!r})])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.strip() == "[True, False]"


@pytest.mark.parametrize("runtime", ["tensorrt", "tensorrt_rtx", "torch", "abacus"])
def test_a_named_runtime_that_cannot_serve_is_never_replaced(write_tiny: WriteTiny, runtime: str) -> None:
    """The error names it and the reason."""
    with pytest.raises(RuntimeUnavailable, match=runtime):
        open_engine(load_bundle(write_tiny("qso")), RuntimeOptions(runtime))


@pytest.mark.parametrize(
    ("change", "reason"), [({"dtype": "fp16"}, "expected dtype = fp32"), ({"device": "cuda"}, "CUDA provider")]
)
def test_what_onnxruntime_cannot_do_is_refused(write_tiny: WriteTiny, change: dict[str, Any], reason: str) -> None:
    """A number format or a device that is asked for is not exchanged for another."""
    with pytest.raises(RuntimeUnavailable, match=reason):
        open_engine(load_bundle(write_tiny("qso")), RuntimeOptions("onnxruntime", **change))


def test_where_nothing_can_serve_every_reason_is_given(write_tiny: WriteTiny) -> None:
    """Auto with a number format that only GPUs have ends with the whole chain."""
    with pytest.raises(RuntimeUnavailable) as raised:
        open_engine(load_bundle(write_tiny("qso")), RuntimeOptions(dtype="fp16"))
    assert all(f"{name}: " in raised.value.reason for name in ORDER)


def test_auto_goes_on_where_a_runtime_cannot_build_or_hold_its_engines(
    write_tiny: WriteTiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A runtime that is there and fails on these bundles is a reason like any other; a named one is an error."""

    def cannot_build(*_: object) -> Any:
        raise RuntimeUnavailable("tensorrt", "the builder ended with SIGSEGV")

    def cannot_hold(*_: object) -> Any:
        raise OutOfMemory(16, "1 GiB free")

    monkeypatch.setattr(opening, "why_not", lambda *_: "")
    monkeypatch.setattr(opening, "_OPENERS", dict.fromkeys(ORDER, cannot_build) | {"torch": cannot_hold})
    bundle = load_bundle(write_tiny("qso"))
    opened = open_engines([bundle])
    assert opened.engines[0].runtime == "onnxruntime"
    assert dict(opened.refusals) == {
        "tensorrt": "the builder ended with SIGSEGV",
        "tensorrt_rtx": "the builder ended with SIGSEGV",
        "torch": "no memory on the device for 16 rows: 1 GiB free",
    }
    with pytest.raises(RuntimeUnavailable, match="SIGSEGV"):
        open_engine(bundle, RuntimeOptions("tensorrt"))


def test_a_bundle_that_torch_cannot_rebuild_is_a_reason_against_torch(write_tiny: WriteTiny) -> None:
    """Others run its graph; only where torch is named that is the end."""
    with pytest.raises(RuntimeUnavailable, match=r"expected bundle tiny-qso to have weights.safetensors"):
        open_engine(load_bundle(write_tiny("qso")), RuntimeOptions("torch", device="cpu"))


class Lying:
    """An engine whose every number is off."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.name, self.runtime, self.dtype = engine.name, engine.runtime, engine.dtype

    def run(self, inputs: Any) -> dict[str, Any]:
        """Answer wrongly."""
        return {name: values + np.ones((), values.dtype) for name, values in self._engine.run(inputs).items()}


def test_an_engine_whose_golden_answers_are_wrong_is_never_served(monkeypatch: pytest.MonkeyPatch) -> None:
    """Under auto, too: wrong answers are no reason to try another runtime quietly."""
    bundle = load_bundle(next(folder for folder in default_bundles() if folder.name == "spectral-classifier"))
    true = onnx_cpu.OnnxEngine
    monkeypatch.setattr(onnx_cpu, "OnnxEngine", lambda each: Lying(true(each)))
    with pytest.raises(BundleError, match=r"golden.npz.*answers of onnxruntime in fp32.*differs by"):
        open_engines([bundle])


@pytest.mark.slow
def test_bundles_that_read_the_same_run_as_one_program_on_torch() -> None:
    """On the processor, where it is asked for by name; each bundle answers as itself."""
    bundles = [
        load_bundle(folder) for folder in default_bundles() if "spectral" in folder.name or "qso-f" in folder.name
    ]
    spectral = [bundle for bundle in bundles if bundle.manifest.grid is not None]
    engines = open_engines(spectral, RuntimeOptions("torch", device="cpu")).engines
    assert {(engine.runtime, engine.dtype) for engine in engines} == {("torch", "fp32")}
    (stage,) = stages(list(zip(spectral, engines, strict=True)))
    rng = np.random.default_rng(3)
    flux = rng.normal(1.0, 0.1, (5, 1557)).astype(np.float32)
    inputs = {"flux": flux, "inverse_variance": np.full_like(flux, 100.0)}
    together = stage.run(inputs)
    assert set(together) == {bundle.manifest.name for bundle in spectral}
    for bundle, engine in zip(spectral, engines, strict=True):
        alone = engine.run(inputs)
        reference = open_engine(bundle, RuntimeOptions("onnxruntime")).run(inputs)
        for name, values in alone.items():
            np.testing.assert_array_equal(values, together[bundle.manifest.name][name])
            np.testing.assert_allclose(values, reference[name], rtol=2e-3, atol=2e-3, err_msg=name)
