"""Suites: whatever bundles are there, one verdict for each item, the same bits in any batch."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from classifiers.bundle.calibration import Calibration, Fused, Partner
from classifiers.bundle.errors import BundleError
from classifiers.bundle.folder import load_bundle
from classifiers.classifier import Verdicts
from classifiers.items import GridAxis, Spectrum, Stamps
from classifiers.suite import NullClassifier, open_suites
from classifiers.verdict.calibrate import score_calibration, spectral_calibration, tail_table

WriteTiny = Callable[..., Path]
ROLES = ("spectral_classifier", "anomaly", "qso")


def spectrum(seed: int, **fields: Any) -> Spectrum:
    rng = np.random.default_rng(seed)
    axis = GridAxis("LOG10", 3.5797, 1e-4, 3845) if seed % 2 else GridAxis("LINEAR", 3600.0, 0.8, 7781)
    values: dict[str, Any] = {
        "axis": axis, "medium": "VACUUM", "flux": (2 + rng.standard_normal(axis.n)).astype(np.float32),
        "uncertainty": np.ones(axis.n, np.float32), "uncertainty_kind": "IVAR", "flux_unit": "1e-17 erg/s/cm2/Angstrom",
        "quality": (rng.random(axis.n) <= 0.01).astype(np.int32), "velocity_correction_km_s": 0.0,
        "resolving_power": 2000.0, "sampling": "DISPERSED", "sky_fibre": False,
    }  # fmt: skip
    return Spectrum(**{**values, **fields})


def table() -> Calibration:
    return score_calibration("tiny", np.random.default_rng(0).random(2000))


def write_all(write_tiny: WriteTiny) -> list[Path]:
    anomaly = write_tiny("anomaly", table())
    bundle = load_bundle(anomaly)
    partner = Partner(name=bundle.manifest.name, version="1", bundle_sha256=bundle.sha256)
    fused = Fused(partner=partner, table=tail_table(np.random.default_rng(1).chisquare(4, 2000)))
    calibration = Calibration(id="tiny", n=2000, novelty=table().novelty, fused=fused, p_other_threshold=0.9)
    return [
        write_tiny("spectral_classifier", calibration),
        anomaly,
        write_tiny("qso"),
        write_tiny("image_anomaly", table()),
    ]


def row_bytes(verdicts: Verdicts, row: int) -> tuple[Any, ...]:
    arrays = (
        *(verdicts.columns[name] for name in sorted(verdicts.columns)), verdicts.class_probabilities,
        verdicts.top_class, verdicts.zwarn, verdicts.unknown, verdicts.quality_flags, verdicts.alternative_class,
        verdicts.alternative_redshift, verdicts.alternative_probability,
    )  # fmt: skip
    if verdicts.lines is not None:
        lines = verdicts.lines
        arrays += (lines.flux, lines.flux_error, lines.equivalent_width, lines.velocity_width)
    return (*(a[row].tobytes() for a in arrays), verdicts.other_type[row], verdicts.unknown_reason[row])


def test_all_engines_answer_and_are_named_in_a_fixed_order(write_tiny: WriteTiny) -> None:
    suite = open_suites(write_all(write_tiny)[::-1])["spectrum"]
    assert [use.name for use in suite.engines()] == ["tiny-spectral-classifier", "tiny-anomaly", "tiny-qso"]
    use = suite.engines()[0]
    assert (use.runtime, use.dtype, use.calibration_id, use.calibration_domain) == (
        "onnxruntime",
        "fp32",
        "tiny",
        "SIMULATED",
    )
    verdicts = suite.classify([spectrum(seed) for seed in range(5)])
    assert len(verdicts) == 5
    np.testing.assert_allclose(verdicts.class_probabilities.sum(axis=1), 1.0)
    engines = "+".join(use.name for use in suite.engines())
    assert set(verdicts.stage_seconds) == {"preprocess", engines, "lines", "verdict"}
    expected = {
        "p_other",
        "redshift",
        "anomaly_score",
        "anomaly_wavelength_angstrom",
        "p_qso",
        "unknown_p_value",
        "map_x",
    }
    assert expected <= set(verdicts.columns)


def test_a_verdict_is_the_same_bits_whatever_the_batch_and_the_threads(write_tiny: WriteTiny) -> None:
    folders = write_all(write_tiny)
    suite, threaded = open_suites(folders)["spectrum"], open_suites(folders, threads=2)["spectrum"]
    items = [spectrum(seed) for seed in range(37)]
    items[4].flux[:] = 1.0
    items[5] = spectrum(5, sampling="NARROWBAND")
    whole = suite.classify(items)
    orders = [np.random.default_rng(seed).permutation(len(items)) for seed in range(6)]
    with ThreadPoolExecutor(threaded.workers()) as pool:
        answers = list(pool.map(threaded.classify, [[items[i] for i in order] for order in orders]))
    assert threaded.workers() == 3
    for order, shuffled in zip(orders, answers, strict=True):
        for place, i in enumerate(order):
            assert row_bytes(shuffled, place) == row_bytes(whole, int(i))
    for i in (0, 4, 5, 36):
        assert row_bytes(suite.classify([items[i]]), 0) == row_bytes(whole, i)


@pytest.mark.parametrize("roles", [(), ("spectral_classifier",), ("anomaly",), ("qso",), ("anomaly", "qso")])
def test_any_role_may_be_missing(write_tiny: WriteTiny, roles: tuple[str, ...]) -> None:
    suite = open_suites([write_tiny(role, table()) for role in roles])["spectrum"]
    verdicts = suite.classify([spectrum(1), spectrum(2)])
    assert len(verdicts) == 2
    assert np.isfinite(verdicts.columns["snr"]).all()
    assert len(suite.engines()) == len(roles)


def test_narrow_band_spectra_are_out_of_domain_and_get_no_class(write_tiny: WriteTiny) -> None:
    suite = open_suites(write_all(write_tiny))["spectrum"]
    verdicts = suite.classify([spectrum(1, sampling="NARROWBAND"), spectrum(1)])
    assert verdicts.unknown_reason[0] == "OUT_OF_DOMAIN"
    assert verdicts.top_class[0] == -1
    assert np.isnan(verdicts.class_probabilities[0]).all()
    assert verdicts.top_class[1] >= 0


def test_a_fused_score_calibrated_with_another_anomaly_bundle_is_refused(write_tiny: WriteTiny) -> None:
    folders = write_all(write_tiny)
    write_tiny("anomaly", table(), version="2")
    with pytest.raises(BundleError, match="tiny-anomaly 2"):
        open_suites(folders)


def test_two_bundles_of_one_role_are_refused(write_tiny: WriteTiny) -> None:
    folder = write_tiny("qso")
    with pytest.raises(BundleError, match="one bundle of role qso"):
        open_suites([folder, folder])


def test_a_bundle_without_calibration_is_refused(write_tiny: WriteTiny) -> None:
    folder = write_tiny("qso", Calibration(id="other", n=1, runtime="tensorrt", dtype="fp16"))
    with pytest.raises(BundleError, match="a calibration"):
        open_suites([folder])


def test_alerts_get_a_p_value_and_the_same_bits_in_any_batch(write_tiny: WriteTiny) -> None:
    suite = open_suites(write_all(write_tiny))["image"]
    rng = np.random.default_rng(0)
    items = [Stamps(*rng.standard_normal((3, 63, 63)).astype(np.float32), survey="ZTF", flags=0) for _ in range(20)]
    items[3] = Stamps(items[3].science, None, items[3].difference, "ZTF", 256)
    whole = suite.classify(items)
    assert (whole.columns["anomaly_p_value"] > 0).all()
    assert whole.quality_flags[3] & 256
    assert row_bytes(suite.classify(items[7:8]), 0) == row_bytes(whole, 7)


def test_null_classifiers_say_nothing_of_anything() -> None:
    verdicts = NullClassifier().classify([spectrum(1)] * 3)
    assert (len(verdicts), dict(verdicts.columns), verdicts.class_names) == (3, {}, ())
    assert NullClassifier().engines() == ()


def test_calibration_of_a_classifier_holds_its_rates_on_fresh_objects(write_tiny: WriteTiny) -> None:
    """Energy and VAE score of known objects are correlated; the fused p-value is uniform all the same."""
    rng = np.random.default_rng(7)

    def known(n: int) -> tuple[np.ndarray, np.ndarray]:
        shared = rng.standard_normal(n)
        return (shared + rng.standard_normal(n)).astype(np.float32), (shared + rng.standard_normal(n)).astype(
            np.float32
        )

    anomaly = load_bundle(write_tiny("anomaly", score_calibration("a", known(4000)[1])))
    energy, score = known(8000)
    logits, labels = rng.standard_normal((8000, 4)).astype(np.float32), rng.integers(0, 3, 8000)
    calibration = spectral_calibration(
        "c", class_logits=logits, labels=labels, energy=energy, anomaly=anomaly, anomaly_scores=score,
        alpha=0.02, other_rate=0.01,
    )  # fmt: skip
    assert calibration.fused is not None
    assert calibration.fused.partner.bundle_sha256 == anomaly.sha256
    assert calibration.novel_rate == pytest.approx(0.01)
    from classifiers.verdict.calibrate import ANOMALY_WEIGHT
    from classifiers.verdict.conformal import fisher, flag_threshold, p_values

    energy, score = known(50_000)
    own, other = calibration.novelty, anomaly.calibration("onnxruntime", "fp32").novelty
    assert own is not None
    assert other is not None
    assert calibration.fused.anomaly_weight == ANOMALY_WEIGHT
    both = p_values(own, energy.astype(float)), p_values(other, score.astype(float))
    p = p_values(calibration.fused.table, fisher(*both, ANOMALY_WEIGHT))
    rate = np.mean(p <= flag_threshold(calibration.fused.table.n, calibration.novel_rate, calibration.confidence))
    assert 0.003 < rate <= 0.0105
    assert abs(np.mean(p <= 0.3) - 0.3) < 0.03


def test_too_few_known_objects_are_refused_with_the_number_needed() -> None:
    with pytest.raises(ValueError, match="needs 918 known objects"):
        spectral_calibration(
            "c",
            class_logits=np.zeros((800, 4), np.float32),
            labels=np.zeros(800, np.int64),
            energy=np.arange(800, dtype=np.float32),
        )
