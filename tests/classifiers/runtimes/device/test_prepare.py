"""Preparation on the device agrees with the CPU's: masks, flags and coverage exactly, numbers but for last bits."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from classifiers.bundle.folder import load_bundle
from classifiers.bundle.manifest import Tensor as Declared
from classifiers.items import Axis, GridAxis, InlineAxis, Spectrum
from classifiers.preprocess.grid import COMMON_GRID
from classifiers.preprocess.prepare import PreparedBatch, prepare
from classifiers.quality import Quality
from classifiers.runtimes.device.pipeline import Pipeline
from classifiers.runtimes.device.prepare import DevicePreparation
from classifiers.runtimes.device.preparing import PreparingPipeline
from classifiers.runtimes.device.raw import raw_batches, rounded
from classifiers.runtimes.device.tensors import TensorDevice
from classifiers.runtimes.program import Output, Program
from classifiers.runtimes.torch_runtime import TorchLauncher, open_torch
from classifiers.suite import MODELS
from schemas.codec import Codec
from stream.decode.spectrum import SpectrumDecoder
from stream.fits.reading import read_fits

TOLERANCE = 5e-7
"""Largest relative difference of a number from the CPU's; of flux relative to 1, the spectrum's level."""
SDSS = GridAxis("LOG10", 3.5797, 1e-4, 3845)
BOSS = GridAxis("LOG10", 3.5501, 1e-4, 4671)
DESI = GridAxis("LINEAR", 3600.0, 0.8, 7781)
FOURMOST = GridAxis("LINEAR", 3700.0, 0.25, 23201)
COARSE = GridAxis("LINEAR", 3000.0, 25.0, 320)
INPUTS = tuple(Declared(name=name, shape=(COMMON_GRID.n,)) for name in ("flux", "inverse_variance"))
SUM = Output("fake", Declared(name="sum", shape=()), "fake/sum")
COPY = Output("fake", Declared(name="copy", shape=(COMMON_GRID.n,)), "fake/copy")


def inline(wavelength: np.ndarray) -> InlineAxis:
    wavelength = np.asarray(wavelength, dtype=np.float64)
    return InlineAxis(wavelength, hashlib.sha256(wavelength.tobytes()).digest())


ARMS = inline(np.concatenate([np.arange(3926, 4355, 0.3), np.arange(5160, 5730, 0.35), np.arange(6100, 6790, 0.4)]))
AXES: dict[str, Axis] = {"sdss": SDSS, "boss": BOSS, "desi": DESI, "4most": FOURMOST, "coarse": COARSE, "arms": ARMS}


def spectrum(axis: Axis = BOSS, seed: int = 1, masked: float = 0.03, level: float = 5.0, **fields: Any) -> Spectrum:
    """Return a noisy spectrum with masked pixels; keyword arguments replace any field."""
    rng = np.random.default_rng(seed)
    n = axis.n if isinstance(axis, GridAxis) else axis.wavelength_angstrom.size
    sigma = rng.uniform(0.5, 2.0, n)
    kind = fields.get("uncertainty_kind", "IVAR")
    values: dict[str, Any] = {
        "axis": axis, "medium": "VACUUM", "flux": (level + sigma * rng.standard_normal(n)).astype(np.float32),
        "uncertainty": {"SIGMA": sigma, "VARIANCE": sigma**2, "IVAR": sigma**-2}[kind].astype(np.float32),
        "uncertainty_kind": "IVAR", "flux_unit": "1e-17 erg/s/cm2/Angstrom",
        "quality": (rng.random(n) < masked).astype(np.int32), "velocity_correction_km_s": 0.0,
        "resolving_power": 2000.0, "sampling": "DISPERSED", "sky_fibre": False,
    }  # fmt: skip
    return Spectrum(**{**values, **fields})


def _identity(inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {SUM.name: inputs["flux"].sum(dim=1), COPY.name: inputs["flux"]}


def on_device(buckets: Sequence[int] = (4, 16)) -> PreparingPipeline:
    """Return a pipeline of CPU tensors that prepares and computes next to nothing."""
    torch.set_num_threads(1)
    preparation = DevicePreparation()
    outputs = {each.name: each.tensor for each in (SUM, COPY)}
    device = TensorDevice(TorchLauncher(_identity), INPUTS, outputs, preparation=preparation)
    pipeline = Pipeline(Program((), INPUTS, (SUM, COPY)), device, buckets)
    return PreparingPipeline(pipeline, preparation, COMMON_GRID)


def check(spectra: Sequence[Spectrum], tolerance: float = TOLERANCE) -> PreparedBatch:
    """Compare both preparations of some spectra and return the device's."""
    wanted, found = prepare(spectra, COMMON_GRID), on_device().run(spectra)
    prepared = found.prepared
    np.testing.assert_array_equal(prepared.quality_flags, wanted.quality_flags)
    np.testing.assert_array_equal(prepared.coverage, wanted.coverage)
    np.testing.assert_array_equal(prepared.inverse_variance > 0, wanted.inverse_variance > 0)
    np.testing.assert_allclose(prepared.inverse_variance, wanted.inverse_variance, rtol=tolerance)
    np.testing.assert_allclose(prepared.flux, wanted.flux, rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(prepared.scale, wanted.scale, rtol=tolerance)
    np.testing.assert_allclose(prepared.snr, wanted.snr, rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(found.answers["fake"]["sum"], prepared.flux.sum(axis=1), rtol=1e-3, atol=1e-2)
    np.testing.assert_array_equal(found.answers["fake"]["copy"], prepared.flux)  # each row's answers are its own
    return prepared


@pytest.mark.parametrize("name", AXES)
@pytest.mark.parametrize("kind", ["SIGMA", "VARIANCE", "IVAR"])
@pytest.mark.parametrize(("medium", "velocity"), [("VACUUM", 0.0), ("AIR", -23.4)])
def test_axes_and_kinds_of_uncertainty_agree(name: str, kind: str, medium: str, velocity: float) -> None:
    fields = {"uncertainty_kind": kind, "medium": medium, "velocity_correction_km_s": velocity}
    check([spectrum(AXES[name], seed, **fields) for seed in range(3)])


def test_spectra_of_all_forms_go_together_and_keep_their_places() -> None:
    spectra = [
        spectrum(axis, seed, uncertainty_kind=kind)
        for seed in range(3)
        for axis, kind in ((SDSS, "IVAR"), (DESI, "SIGMA"), (ARMS, "VARIANCE"), (BOSS, "IVAR"))
    ]
    spectra.insert(2, spectrum(COARSE, sampling="NARROWBAND"))
    spectra.insert(5, spectrum(GridAxis("LINEAR", 15000.0, 1.0, 2000)))
    check(spectra)


def check_alone(spectra: Sequence[Spectrum]) -> None:
    """Compare what is computed of spectra together with what is computed of each by itself."""
    pipeline = on_device()
    together = pipeline.run(spectra).answers["fake"]["copy"]
    alone = np.concatenate([pipeline.run([each]).answers["fake"]["copy"] for each in spectra])
    np.testing.assert_allclose(together, alone, rtol=TOLERANCE, atol=TOLERANCE)


def test_answers_are_their_spectrums_where_velocity_corrections_of_one_axis_alternate() -> None:
    spectra = [spectrum(SDSS, seed, velocity_correction_km_s=(0.0, 15.0)[seed % 2]) for seed in range(6)]
    assert len(list(raw_batches(spectra, COMMON_GRID))) == 1
    check_alone(spectra)


def test_answers_are_their_spectrums_where_two_axes_of_similar_length_alternate() -> None:
    longer = replace(SDSS, n=SDSS.n + 11)
    spectra = [spectrum((SDSS, longer)[seed % 2], seed) for seed in range(6)]
    assert len(list(raw_batches(spectra, COMMON_GRID))) == 1
    check_alone(spectra)


SHORT = (
    GridAxis("LINEAR", 5000.0, 2.0, 150),
    GridAxis("LINEAR", 5000.0, 2.0, 155),
    GridAxis("LINEAR", 5010.0, 2.0, 90),
)


@settings(max_examples=60)
@given(
    drawn=st.lists(
        st.tuples(
            st.sampled_from(SHORT), st.sampled_from([0.0, 15.0]), st.sampled_from(["SIGMA", "IVAR"]),
            st.sampled_from(["DISPERSED", "DISPERSED", "DISPERSED", "NARROWBAND"]),
        ),
        min_size=1, max_size=12,
    )
)  # fmt: skip
def test_spectra_in_any_order_are_batched_once_by_place_and_answered_in_that_order(
    drawn: list[tuple[GridAxis, float, str, str]],
) -> None:
    spectra = [
        spectrum(axis, seed, velocity_correction_km_s=velocity, uncertainty_kind=kind, sampling=sampling)
        for seed, (axis, velocity, kind, sampling) in enumerate(drawn)
    ]
    batches = list(raw_batches(spectra, COMMON_GRID))
    assert all((np.diff(batch.rows) > 0).all() for batch in batches)
    assert sorted(np.concatenate([batch.rows for batch in batches])) == list(range(len(spectra)))
    check(spectra)


@pytest.mark.parametrize(
    ("kind", "field", "value"),
    [
        ("IVAR", "flux", np.nan), ("IVAR", "flux", np.inf), ("SIGMA", "uncertainty", np.nan),
        ("VARIANCE", "uncertainty", np.inf), ("IVAR", "uncertainty", np.inf), ("IVAR", "uncertainty", -1.0),
        ("SIGMA", "uncertainty", -1.0), ("SIGMA", "uncertainty", 0.0), ("VARIANCE", "uncertainty", 0.0),
        ("IVAR", "uncertainty", 0.0), ("IVAR", "flux", -3.0), ("IVAR", "flux", 3e38), ("SIGMA", "uncertainty", 1e-30),
    ],
)  # fmt: skip
def test_each_rule_for_bad_pixels_holds(kind: str, field: str, value: float) -> None:
    one = spectrum(uncertainty_kind=kind, masked=0.0)
    flagged = spectrum(uncertainty_kind=kind, masked=0.0)
    for each in (one, flagged):
        getattr(each, field)[300:360] = value
    assert flagged.quality is not None
    flagged.quality[300:360] = 4
    check([one, flagged])


def test_bits_say_the_same() -> None:
    spectra = [
        spectrum(quality=None),
        spectrum(flux_unit="ct"),
        spectrum(masked=0.2),
        spectrum(ARMS),
        spectrum(sky_fibre=True),
        spectrum(quality=np.ones(BOSS.n, np.int32)),
        replace(spectrum(), uncertainty=np.zeros(BOSS.n, np.float32)),
    ]
    assert check(spectra).quality_flags[2] == Quality.MASKED_PIXELS
    assert check([spectrum(quality=None), spectrum(DESI, quality=None)]).quality_flags.all()


@pytest.mark.parametrize("kind", ["SIGMA", "VARIANCE", "IVAR"])
@pytest.mark.parametrize("size", [1e-17, 1e12, 1e-30])
def test_units_of_any_size_agree(kind: str, size: float) -> None:
    one = spectrum(DESI, uncertainty_kind=kind)
    with np.errstate(over="ignore"):
        uncertainty = (one.uncertainty * size ** {"SIGMA": 1, "VARIANCE": 2, "IVAR": -2}[kind]).astype(np.float32)
    check([replace(one, flux=(one.flux * size).astype(np.float32), uncertainty=uncertainty)])


@pytest.mark.parametrize("kind", ["SIGMA", "VARIANCE", "IVAR"])
def test_flux_per_frequency_agrees(kind: str) -> None:
    check([spectrum(DESI, seed, uncertainty_kind=kind, flux_unit="Jy") for seed in range(2)] + [spectrum()])


@settings(max_examples=60)
@given(
    start=st.floats(3000, 9000), step=st.floats(0.05, 60), n=st.integers(1, 400), seed=st.integers(0, 99),
    special=st.lists(st.tuples(st.integers(0, 399), st.sampled_from([np.nan, np.inf, -np.inf, 0, -1, 1e38, 1e-38]))),
    kind=st.sampled_from(["SIGMA", "VARIANCE", "IVAR"]), log10_size=st.floats(-18, 18),
)  # fmt: skip
def test_any_spectrum_agrees(
    start: float, step: float, n: int, seed: int, special: list[tuple[int, float]], kind: str, log10_size: float
) -> None:
    one = spectrum(GridAxis("LINEAR", start, step, n), seed, uncertainty_kind=kind)
    one = replace(one, flux=(one.flux * 10.0**log10_size).astype(np.float32))
    for index, (pixel, value) in enumerate(special):
        (one.flux, one.uncertainty)[index % 2][pixel % n] = value
    check([one, spectrum()])


@pytest.mark.slow
def test_real_spectra_of_every_survey_agree(data_dir: Path, codec: Codec) -> None:
    records = [record for path in sorted((data_dir / "fits").glob("*.fits")) for record in read_fits(path)]
    values = [codec.decode(codec.encode("l1_spectrum", record)).record for record in records]
    spectra = [SpectrumDecoder().decode(value)[1] for value in values]
    assert len({(each.uncertainty_kind, each.medium) for each in spectra}) >= 2
    check(spectra)


def test_rows_on_one_axis_upload_its_bins_once() -> None:
    (batch,) = raw_batches([spectrum(seed=seed) for seed in range(5)], COMMON_GRID)
    assert {name for name, array in batch.inputs.items() if array.strides[0] == 0} == {
        "raw_under", "raw_share", "raw_depth"
    }  # fmt: skip
    assert batch.inputs["raw_flux"].shape == (5, 5120)
    assert batch.inputs["raw_depth"].shape == (5, 3)


@given(st.integers(1, 100_000), st.sampled_from([1, 2, 8]), st.integers(1, 64))
def test_sizes_are_rounded_up_to_few_steps(n: int, steps: int, least: int) -> None:
    found = rounded(n, steps, least)
    assert max(n, least) <= found <= max(n, least) * (1.0 + 1.0 / steps) + 1
    assert rounded(found, steps, least) == found


@pytest.mark.slow
def test_networks_on_prepared_spectra_answer_as_on_those_of_the_cpu() -> None:
    bundles = [load_bundle(MODELS / name) for name in ("spectral-classifier", "spectral-anomaly", "qso-finder")]
    program, preparation = Program.of(bundles), DevicePreparation()
    pipeline = open_torch(program, "fp32", "cpu", buckets=(16,), preparation=preparation)
    spectra = [spectrum(axis, seed) for seed in range(4) for axis in (BOSS, DESI)]
    found = PreparingPipeline(pipeline, preparation, COMMON_GRID).run(spectra)
    prepared = prepare(spectra, COMMON_GRID)
    wanted = pipeline.run({"flux": prepared.flux, "inverse_variance": prepared.inverse_variance})
    for name, outputs in wanted.items():
        for output, values in outputs.items():
            if output in ("class_logits", "score", "map", "qso_logit", "entropy"):
                np.testing.assert_allclose(found.answers[name][output], values, rtol=1e-3, atol=1e-3)
