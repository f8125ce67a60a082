"""What belongs to the anomaly feed: the rare and the strange, neither faults nor known types."""

from __future__ import annotations

import numpy as np
import pytest

from classifiers.quality import Quality
from classifiers.training.simulation.scheme import OTHER_TYPES
from classifiers.verdict.anomalous import BITS, LEVEL, anomalous
from classifiers.verdict.unknown import REASONS

NAN = float("nan")


@pytest.mark.parametrize(
    ("p_value", "bits", "expected"),
    [
        (0.5, 0, False),
        (LEVEL, 0, True),
        (np.nextafter(LEVEL, 1.0), 0, False),
        (NAN, 0, False),
        (0.5, Quality.SECOND_REDSHIFT, True),
        (NAN, Quality.BROAD_ABSORPTION | Quality.GAPS, True),
        (0.5, ~BITS & 0x3FFFF, False),
    ],
)
def test_a_known_object_is_anomalous_by_the_vae_or_by_what_was_found_in_it(
    p_value: float, bits: int, expected: bool
) -> None:
    assert bool(anomalous("", "", p_value, int(bits))) is expected


@pytest.mark.parametrize("reason", [each for each in dict.fromkeys(REASONS) if each])
def test_of_what_is_unknown_only_the_novel_is_anomalous_however_strange(reason: str) -> None:
    found = anomalous([reason, reason], ["M", ""], [1e-9, NAN], [int(BITS), 0])
    assert found.tolist() == [reason == "NOVEL"] * 2


@pytest.mark.parametrize("other", OTHER_TYPES)
def test_what_is_taken_for_a_hot_star_and_drawn_badly_may_be_a_transient(other: str) -> None:
    found = anomalous(["OTHER_KNOWN"] * 3, [other] * 3, [1e-9, 0.5, NAN], [0, int(BITS), 0])
    assert found.tolist() == [other in ("WD", "CV", "OB"), False, False]


def test_records_are_judged_one_by_one() -> None:
    bits = np.array([0, 0, 1, 0], np.int32)
    found = anomalous(["", "NOVEL", "", "NO_SIGNAL"], ["", "", "OB", ""], [0.001, 0.9, 0.9, 0.001], bits)
    np.testing.assert_array_equal(found, [True, True, False, False])
