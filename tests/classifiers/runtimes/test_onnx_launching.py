"""ONNX Runtime between torch's tensors: what runs of it without a GPU, on the CPU's provider, in every slot."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnxruntime
import pytest

from classifiers.items import GridAxis, Spectrum
from classifiers.preprocess.grid import COMMON_GRID
from classifiers.preprocess.prepare import prepare
from classifiers.runtimes import onnx_cuda, onnx_launching, opening
from classifiers.runtimes.casting import Dtype
from classifiers.runtimes.device.contract import DeviceLost
from classifiers.runtimes.device.launcher import Preparation
from classifiers.runtimes.device.pipeline import Pipeline
from classifiers.runtimes.golden import self_test
from classifiers.runtimes.onnx_launching import OnnxLauncher, open_onnx_ring
from classifiers.runtimes.opening import RuntimeOptions, open_engines
from classifiers.runtimes.program import Program
from classifiers.runtimes.program_engine import ProgramEngine
from classifiers.runtimes.tensorrt.card import Card

CPU = "CPUExecutionProvider"
RowsOf = Callable[[Program, int], dict[str, Any]]
FAIL = onnxruntime.capi.onnxruntime_pybind11_state.Fail


def test_every_bundle_of_a_program_gives_its_golden_answers(spectral_program: Program) -> None:
    ring = open_onnx_ring(spectral_program, "fp32", print, provider=CPU, buckets=(16,))
    for bundle in spectral_program.bundles:
        report = self_test(bundle, ProgramEngine(bundle.manifest.name, onnx_cuda.RUNTIME, "fp32", ring))
        assert report.rows > 0


@pytest.mark.parametrize("n", [1, 16, 37, 100])
def test_slots_and_buckets_do_not_mix_rows(bands_program: Program, n: int, rows_of: RowsOf) -> None:
    """Batches beyond the largest bucket go through all slots one after the other."""
    inputs = rows_of(bands_program, n)
    found = open_onnx_ring(bands_program, "fp32", print, provider=CPU, buckets=(4, 16), slots=3).run(inputs)
    right = onnx_cuda.open_onnx_cuda(bands_program, "fp32", print, provider=CPU, buckets=(128,)).run(inputs)
    for name, values in right["jpas-qso-finder"].items():
        assert found["jpas-qso-finder"][name].shape == values.shape
        np.testing.assert_allclose(found["jpas-qso-finder"][name], values, rtol=1e-3, atol=1e-3)


def test_a_session_of_each_slot_computes_on_its_stream_and_waits_for_nothing(bands_program: Program) -> None:
    """As the provider takes a stream, and as a run is told not to wait for it."""
    streams, given, runs = iter(("4096", "8192")), [], []

    class Session:
        """What the launcher asks of a session."""

        def get_providers(self) -> list[str]:
            return [onnx_cuda.PROVIDER]

        def disable_fallback(self) -> None:
            runs.append("no fallback")

        def io_binding(self) -> Any:
            return SimpleNamespace(bind_input=lambda *_: None, bind_output=lambda *_: None)

        def run_with_iobinding(self, _: Any, options: onnxruntime.RunOptions) -> None:
            runs.append(options.get_run_config_entry("disable_synchronize_execution_providers"))

    def opened(_: bytes, __: Any, providers: Sequence[tuple[str, Mapping[str, str]]]) -> Session:
        given.extend(providers)
        return Session()

    launcher = OnnxLauncher(bands_program, dtype="tf32", stream=lambda: next(streams), opener=opened)
    for slot, bucket in ((0, 16), (0, 64), (1, 16)):
        launcher.prepare(slot, bucket, {}, {})
        launcher.launch(slot, bucket)
    assert given == [
        ("CUDAExecutionProvider", {"use_tf32": "1", "user_compute_stream": stream}) for stream in ("4096", "8192")
    ]
    assert runs == ["no fallback", "1", "1", "no fallback", "1"]
    launcher.forget(0, 64)
    with pytest.raises(KeyError):
        launcher.launch(0, 64)


def failing(monkeypatch: pytest.MonkeyPatch, error: Exception, rows: int, after: int = 0) -> None:
    """Have sessions raise an error where so many rows or more are bound, from some call on."""
    right, bound, calls = onnxruntime.InferenceSession.run_with_iobinding, {}, []
    bind = onnxruntime.IOBinding.bind_input

    def bind_input(self: Any, *place: Any) -> None:
        bound[id(self)] = place[4][0]
        bind(self, *place)

    def run(self: Any, binding: Any, options: Any = None) -> None:
        calls.append(bound[id(binding)])
        if calls[-1] >= rows and len(calls) > after:
            raise error
        right(self, binding, options)

    monkeypatch.setattr(onnxruntime.IOBinding, "bind_input", bind_input)
    monkeypatch.setattr(onnxruntime.InferenceSession, "run_with_iobinding", run)


def test_a_bucket_without_room_is_halved_and_said_to_be(
    monkeypatch: pytest.MonkeyPatch, bands_program: Program, rows_of: RowsOf
) -> None:
    right = open_onnx_ring(bands_program, "fp32", print, provider=CPU, buckets=(16,)).run(rows_of(bands_program, 64))
    failing(monkeypatch, FAIL("Failed to allocate memory for requested buffer of size 9437184"), rows=64)
    told: list[str] = []
    ring = open_onnx_ring(bands_program, "fp32", told.append, provider=CPU, buckets=(16, 64))
    found = ring.run(rows_of(bands_program, 64))["jpas-qso-finder"]
    np.testing.assert_allclose(found["redshift"], right["jpas-qso-finder"]["redshift"], rtol=1e-4)
    assert ring.buckets == (16,)
    assert any("batches of 16 rows from now on" in line for line in told)


def test_a_card_that_fails_is_lost(monkeypatch: pytest.MonkeyPatch, bands_program: Program, rows_of: RowsOf) -> None:
    ring = open_onnx_ring(bands_program, "fp32", print, provider=CPU, buckets=(16,))
    ring.run(rows_of(bands_program, 3))
    failing(monkeypatch, FAIL("CUDA failure 700: an illegal memory access was encountered"), rows=16)
    fresh = open_onnx_ring(bands_program, "fp32", print, provider=CPU, buckets=(16,))
    with pytest.raises(DeviceLost, match="CUDA failure 700"):
        fresh.run(rows_of(bands_program, 3))


def test_where_torch_has_the_card_the_ring_serves_and_prepares_raw_spectra(
    monkeypatch: pytest.MonkeyPatch, spectral_program: Program
) -> None:
    """From ``onnxruntime`` as runtime: the engines of the ring, their rehearsal passed, raw spectra as the CPU's."""

    def ring(program: Program, dtype: Dtype, notice: Callable[[str], None], preparation: Preparation) -> Pipeline:
        return open_onnx_ring(program, dtype, notice, provider=CPU, buckets=(16,), preparation=preparation)

    monkeypatch.setattr(opening, "find_card", lambda: Card("NVIDIA A100", "8.0", "570.86.15"))
    monkeypatch.setattr(opening, "why_not", lambda *_: "")
    monkeypatch.setattr(onnx_cuda, "is_built_in", lambda: True)
    monkeypatch.setattr(onnx_launching, "open_onnx_ring", ring)
    opened = open_engines(spectral_program.bundles, RuntimeOptions("onnxruntime", device="cuda", largest_batch=16))
    engine = opened.engines[0]
    assert isinstance(engine, ProgramEngine)
    assert (engine.runtime, engine.program.slots) == ("onnxruntime_cuda", 3)
    assert opened.rehearsals
    assert engine.preparing is not None
    spectra = [raw(seed) for seed in range(5)]
    found = engine.preparing.run(spectra)
    batch = prepare(spectra, COMMON_GRID)
    np.testing.assert_allclose(found.prepared.flux, batch.flux, atol=1e-4)
    right = engine.program.run({"flux": batch.flux, "inverse_variance": batch.inverse_variance})
    for name in ("qso_logit", "redshift_qso"):
        np.testing.assert_allclose(found.answers["qso-finder"][name], right["qso-finder"][name], rtol=1e-3, atol=1e-3)


def test_where_torch_has_no_card_the_library_copies_by_itself_and_it_is_said(
    monkeypatch: pytest.MonkeyPatch, bands_program: Program
) -> None:
    right = onnx_cuda.open_onnx_cuda
    monkeypatch.setattr(opening, "find_card", lambda: Card("NVIDIA A100", "8.0", "570.86.15"))
    monkeypatch.setattr(opening, "why_not", lambda *_: "expected the package torch, found none")
    monkeypatch.setattr(onnx_cuda, "is_built_in", lambda: True)
    monkeypatch.setattr(onnx_cuda, "open_onnx_cuda", lambda *given: right(*given, provider=CPU, buckets=(16,)))
    told: list[str] = []
    (engine,) = open_engines(bands_program.bundles, RuntimeOptions("onnxruntime", device="cuda"), told.append).engines
    assert isinstance(engine, ProgramEngine)
    assert engine.program.slots == 1
    assert told == [
        "onnxruntime_cuda: one batch after the other, without torch's streams: expected the package torch, found none"
    ]


def raw(seed: int) -> Spectrum:
    """Return a spectrum on SDSS's grid, made up."""
    rng = np.random.default_rng(seed)
    flux = rng.normal(5.0, 0.5, 3800).astype(np.float32)
    axis = GridAxis("LOG10", 3.58, 1e-4, 3800)
    weight = np.full_like(flux, 4.0)
    return Spectrum(
        axis=axis,
        medium="VACUUM",
        flux=flux,
        uncertainty=weight,
        uncertainty_kind="IVAR",
        flux_unit="1e-17 erg/s/cm2/Angstrom",
        quality=None,
        velocity_correction_km_s=0.0,
        resolving_power=2000.0,
        sampling="DISPERSED",
        sky_fibre=False,
    )
