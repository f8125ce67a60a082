"""The narrow-band lane: its own verdicts where a bundle is loaded, OUT_OF_DOMAIN where none is."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from classifiers.bundle.errors import BundleError
from classifiers.classifier import Verdicts
from classifiers.items import InlineAxis, Spectrum
from classifiers.suite import open_suites
from classifiers.verdict.calibrate import score_calibration

WriteTiny = Callable[..., Path]
BANDS = 6


def spectrum(seed: int, n: int = BANDS, **fields: Any) -> Spectrum:
    rng = np.random.default_rng(seed)
    wavelength = 4000.0 + 100.0 * np.arange(n)
    values: dict[str, Any] = {
        "axis": InlineAxis(wavelength, sha256(wavelength.tobytes()).digest()), "medium": "VACUUM",
        "flux": rng.normal(4.0, 1.0, n).astype(np.float32), "uncertainty": np.full(n, 0.3, np.float32),
        "uncertainty_kind": "SIGMA", "flux_unit": "1e-17 erg/s/cm2/Angstrom", "quality": np.zeros(n, np.int32),
        "velocity_correction_km_s": 0.0, "resolving_power": None, "sampling": "NARROWBAND", "sky_fibre": False,
    }  # fmt: skip
    return Spectrum(**{**values, **fields})


def row_bytes(verdicts: Verdicts, row: int) -> tuple[Any, ...]:
    arrays = (
        *(verdicts.columns[name] for name in sorted(verdicts.columns)), verdicts.class_probabilities,
        verdicts.top_class, verdicts.zwarn, verdicts.unknown, verdicts.quality_flags,
    )  # fmt: skip
    return (*(array[row].tobytes() for array in arrays), verdicts.unknown_reason[row])


def test_without_a_bundle_every_record_is_out_of_domain() -> None:
    """Nothing serves it, and nothing else is said."""
    verdicts = open_suites([])["narrowband"].classify([spectrum(1), spectrum(2, sky_fibre=True)])
    assert verdicts.unknown_reason == ["OUT_OF_DOMAIN"] * 2
    assert verdicts.unknown.all()
    assert verdicts.class_names == ()
    assert (verdicts.quality_flags > 0).tolist() == [False, True]


def test_the_bundle_answers_its_own_lane_only(write_tiny: WriteTiny) -> None:
    """The spectrum lane knows nothing of it; a second bundle of the role is refused."""
    folder = write_tiny(
        "narrowband", score_calibration("tiny", np.random.default_rng(0).random(2000), p_other_threshold=None)
    )
    lanes = open_suites([folder])
    assert [use.name for use in lanes["narrowband"].engines()] == ["tiny-narrowband"]
    assert lanes["spectrum"].engines() == ()
    verdicts = lanes["narrowband"].classify([spectrum(seed) for seed in range(40)])
    assert verdicts.class_scheme == "TINY-4"
    np.testing.assert_allclose(verdicts.class_probabilities.sum(axis=1), 1.0)
    with pytest.raises(BundleError, match="one bundle of role narrowband"):
        open_suites([folder, folder])


def test_a_verdict_is_the_same_bits_in_any_batch(write_tiny: WriteTiny) -> None:
    """Alone, shuffled and among damaged neighbours."""
    folder = write_tiny(
        "narrowband", score_calibration("tiny", np.random.default_rng(0).random(2000), p_other_threshold=None)
    )
    suite = open_suites([folder])["narrowband"]
    items = [spectrum(seed, n=BANDS - seed % 3) for seed in range(37)]
    items[5].flux[2] = np.nan
    items[6].flux[:] = np.inf
    items[7].uncertainty[1:] = 0.0
    together = suite.classify(items)
    order = np.random.default_rng(2).permutation(len(items))
    shuffled = suite.classify([items[row] for row in order])
    for place, row in enumerate(order.tolist()):
        assert row_bytes(shuffled, place) == row_bytes(together, row) == row_bytes(suite.classify([items[row]]), 0)


def test_too_few_bands_are_out_of_domain_and_constants_are_bad_data(write_tiny: WriteTiny) -> None:
    """Two bands of six; one; none that is finite; six equal numbers."""
    suite = open_suites([write_tiny("narrowband")])["narrowband"]
    nothing = spectrum(4, flux=np.full(BANDS, np.nan, np.float32))
    constant = spectrum(5, flux=np.full(BANDS, 3.0, np.float32))
    verdicts = suite.classify([spectrum(1, n=2), spectrum(2, n=1), nothing, constant, spectrum(3)])
    assert list(verdicts.unknown_reason) == [*["OUT_OF_DOMAIN"] * 3, "BAD_DATA", None]
    np.testing.assert_allclose(verdicts.columns["coverage"], [2 / 6, 1 / 6, 0, 1, 1])
    assert verdicts.top_class[2] == -1
    assert np.isnan(verdicts.columns["p_qso"][2])
