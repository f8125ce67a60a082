"""A small training end to end, and what the shipped narrow-band bundle promises.

Training imports torch, which takes seconds: only the tests that train import it, not collection.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from classifiers.bundle.folder import load_bundle
from classifiers.items import Spectrum
from classifiers.runtimes.golden import compare_golden
from classifiers.runtimes.independence import dependent_outputs
from classifiers.runtimes.onnx_cpu import OnnxEngine
from classifiers.suite import MODELS, open_suites
from classifiers.training.narrowband.l1_records import simulated_narrowband_records
from classifiers.training.narrowband.missing import PATTERNS, of_any
from classifiers.training.narrowband.noise import observe
from classifiers.training.narrowband.real import as_spectra
from classifiers.training.narrowband.samples import observed_inputs
from classifiers.training.narrowband.simulator import CLASSES, KINDS, NarrowbandSimulator

SHIPPED = MODELS / "jpas-qso-finder"


def spectra_of(n: int, seed: int) -> tuple[list[Spectrum], list[str]]:
    """Return simulated records as the stream hands them to the suite, and their true classes."""
    from classifiers.items import InlineAxis

    items, names = [], []
    for simulated in simulated_narrowband_records(NarrowbandSimulator.load(), n, seed):
        record = simulated.record
        axis = InlineAxis(record["wavelength"], record["wavelength"].tobytes()[:16])
        items.append(
            Spectrum(
                axis, "VACUUM", record["flux"], record["uncertainty"], "SIGMA", record["flux_unit"],
                record["quality"], 0.0, None, "NARROWBAND", sky_fibre=False,
            )
        )  # fmt: skip
        names.append(simulated.truth.class_name)
    return items, names


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any], list[tuple[str, float]]]:
    from classifiers.training.narrowband.train import train_narrowband_bundle

    folder = tmp_path_factory.mktemp("bundle") / "jpas-qso-finder"
    events: list[tuple[str, float]] = []
    metrics = train_narrowband_bundle(
        3, 1500, 3, folder, lambda what, fraction: events.append((what, fraction)), n_calibration=1200, n_test=300
    )
    return folder, metrics, events


@pytest.mark.slow
def test_training_writes_an_intact_calibrated_bundle(trained: tuple[Path, dict[str, Any], list[Any]]) -> None:
    """It learns, is calibrated on simulations, measured on others, and agrees with its golden answers."""
    folder, metrics, events = trained
    bundle = load_bundle(folder)
    assert bundle.manifest.role == "narrowband"
    assert bundle.manifest.class_names == CLASSES
    assert len(bundle.manifest.bands) == 56
    assert metrics == bundle.manifest.metrics
    assert metrics["training_loss"][-1] < metrics["training_loss"][0]
    calibration = bundle.calibration("onnxruntime", "fp32")
    assert (calibration.domain, calibration.n) == ("SIMULATED", 1200)
    assert calibration.novelty is not None
    report = compare_golden(bundle, OnnxEngine(bundle))
    assert report is not None
    assert report.excess(bundle.manifest.tolerances["fp32"]) is None
    assert events[-1] == ("done", 1.0)


@pytest.mark.slow
def test_the_same_seed_gives_the_same_weights(trained: tuple[Path, dict[str, Any], list[Any]]) -> None:
    """Network and losses, to the bit on one machine; another seed gives others."""
    from classifiers.training.narrowband.fitting import fit

    simulator = NarrowbandSimulator.load()
    mocks = simulator.draw(dict.fromkeys(KINDS, 300), np.random.default_rng(1))
    (one, losses), (two, again), (_, others) = (fit(mocks, simulator, seed, 1, lambda *_: None) for seed in (1, 1, 2))
    assert losses == again != others
    for left, right in zip(one.parameters(), two.parameters(), strict=True):
        assert left.detach().numpy().tobytes() == right.detach().numpy().tobytes()


@pytest.mark.slow
def test_bins_keep_to_the_class_threshold() -> None:
    """A quasar just below z = 2.1 is in the last low bin, one at it in the first high bin."""
    from classifiers.networks.narrowband import LOW_Z_BINS, OUTPUTS, QSO_BINS, target_bins

    kind = np.array([0, 0, 0, 0, 1, 1, 2])
    redshift = np.array([0.0, np.nextafter(2.1, 0), 2.1, 9.0, 0.0, 5.0, 0.0])
    assert target_bins(kind, redshift).tolist() == [
        0, LOW_Z_BINS - 1, LOW_Z_BINS, QSO_BINS - 1, QSO_BINS, OUTPUTS - 2, OUTPUTS - 1,
    ]  # fmt: skip


def test_the_shipped_bundle_gives_a_row_the_same_bits_in_any_batch() -> None:
    """On mocks, some of them with trays missing."""
    bundle = load_bundle(SHIPPED)
    simulator = NarrowbandSimulator.load()
    mocks = simulator.draw(dict.fromkeys(KINDS, 20), np.random.default_rng(8))
    inputs = observed_inputs(mocks, simulator.pivot_angstrom, np.random.default_rng(9))
    arrays = {"flux": inputs.flux, "inverse_variance": inputs.inverse_variance}
    assert dependent_outputs(OnnxEngine(bundle), arrays, np.random.default_rng(1), rounds=2) == ()


def test_the_shipped_bundle_tells_quasars_galaxies_and_stars_apart() -> None:
    """Through the whole suite, from records: most mocks get their class, and probabilities that sum to 1."""
    items, names = spectra_of(300, 12)
    verdicts = open_suites([SHIPPED])["narrowband"].classify(items)
    found = [CLASSES[index] for index in verdicts.top_class.tolist()]
    assert np.mean([one == two for one, two in zip(found, names, strict=True)]) > 0.85
    np.testing.assert_allclose(verdicts.class_probabilities.sum(axis=1), 1.0)
    assert np.mean(verdicts.unknown) < 0.1


def test_empty_sky_has_no_signal_whatever_bands_it_lacks() -> None:
    """It is no quasar, though its noise may look like one."""
    simulator, rng = NarrowbandSimulator.load(), np.random.default_rng(21)
    nothing = np.zeros((400, 56))
    verdicts = open_suites([SHIPPED])["narrowband"].classify(
        as_spectra(observe(nothing, simulator.pivot_angstrom, rng, of_any), simulator.pivot_angstrom)
    )
    reasons = Counter(verdicts.unknown_reason)
    assert reasons["NO_SIGNAL"] + reasons["OUT_OF_DOMAIN"] >= 398
    assert reasons["NO_SIGNAL"] >= 300
    assert reasons[None] == 0


@pytest.mark.parametrize("pattern", PATTERNS)
def test_known_sources_are_hardly_ever_novel_whatever_bands_they_lack(pattern: str) -> None:
    """Bright ones, whose colours leave the least room."""
    simulator, rng = NarrowbandSimulator.load(), np.random.default_rng(22)
    mocks = simulator.draw(dict.fromkeys(KINDS, 700), rng)
    bright = mocks.rows(np.flatnonzero(mocks.r < 22.0))
    seen = observe(bright.flux, simulator.pivot_angstrom, rng, PATTERNS[pattern])
    verdicts = open_suites([SHIPPED])["narrowband"].classify(as_spectra(seen, simulator.pivot_angstrom))
    reasons = Counter(verdicts.unknown_reason)
    assert reasons["NOVEL"] <= 0.03 * len(bright)
    assert reasons["OUT_OF_DOMAIN"] >= 0.85 * len(bright) * ("out of the domain" in pattern)


@pytest.mark.parametrize("damage", ["nan", "zero", "one band", "negative", "huge", "nanometre", "half"])
def test_damage_never_gives_nan_and_never_a_silent_answer(damage: str) -> None:
    """What is left of too little is OUT_OF_DOMAIN or BAD_DATA; what is published is finite."""
    items, _ = spectra_of(20, 5)
    for item in items:
        flux, sigma = item.flux.copy(), item.uncertainty.copy()
        if damage == "nan":
            flux[:] = np.nan
        elif damage == "zero":
            flux[:], sigma[:] = 0.0, 1.0
        elif damage == "one band":
            flux[1:] = np.nan
        elif damage == "negative":
            flux = -np.abs(flux)
        elif damage == "huge":
            flux, sigma = (flux * np.float32(1e30)).astype(np.float32), (sigma * np.float32(1e30)).astype(np.float32)
        elif damage == "half":
            flux[::2] = np.inf
        item.flux, item.uncertainty, item.quality = flux, sigma, None
        if damage == "nanometre":
            item.axis = type(item.axis)(item.axis.wavelength_angstrom / 10.0, b"nm")  # type: ignore[union-attr]
    verdicts = open_suites([SHIPPED])["narrowband"].classify(items)
    answered = verdicts.top_class >= 0
    assert np.isfinite(verdicts.class_probabilities[answered]).all()
    assert np.isfinite(verdicts.columns["p_qso"][answered]).all()
    if damage in ("nan", "zero", "one band", "nanometre"):
        assert verdicts.unknown.all()
        assert set(verdicts.unknown_reason) <= {"BAD_DATA", "OUT_OF_DOMAIN"}
    if damage == "negative":
        assert set(verdicts.unknown_reason) <= {"BAD_DATA", "NO_SIGNAL"}
    if damage == "huge":
        assert answered.all()
