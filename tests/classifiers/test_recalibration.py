"""What a recalibration keeps of a coverage of which too few are labelled, and what it must not keep."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from classifiers.bundle.calibration import Calibration, Fused, Partner, ShortCoverage
from classifiers.bundle.manifest import Domain
from classifiers.recalibration import Declared, TooFewLabels, recalibrated, with_enough
from classifiers.verdict.calibrate import tail_table

DOMAIN = Domain(min_coverage=0.3, full_coverage=0.6)
OTHERS = {"id": "mine", "surveys": ("A",)}


def table(seed: int, n: int = 2000) -> Any:
    return tail_table(np.random.default_rng(seed).random(n))


def partner(digest: str = "a") -> Partner:
    return Partner(name="vae", version="1", bundle_sha256=digest * 64)


def calibration(seed: int, digest: str | None = "a", **fields: Any) -> Calibration:
    """Return one with rates of 0.005 each and tables that are its seed's own."""
    fused = None if digest is None else Fused(partner=partner(digest), table=table(seed + 1))
    return Calibration(
        id=f"c{seed}", n=seed, novelty=table(seed), fused=fused, p_other_threshold=0.001 * seed, alpha=0.01,
        novel_rate=0.005, other_rate=0.005, **fields,
    )  # fmt: skip


OLD = calibration(
    10, short_coverage=ShortCoverage(n=20, p_other_threshold=0.9, novelty=table(20), fused=table(21)), temperature=0.7
)
SAME = Declared(0.01, 0.005, 0.99)


def test_both_groups_get_their_own_tables_where_both_are_labelled() -> None:
    whole, short = calibration(30), calibration(40)
    new = recalibrated(OLD, {"WHOLE": whole, "SHORT": short}, SAME, DOMAIN, **OTHERS)
    assert (new.n, new.novelty, new.fused, new.p_other_threshold) == (30, whole.novelty, whole.fused, 0.03)
    assert short.fused is not None
    assert new.short_coverage == ShortCoverage(n=40, p_other_threshold=0.04, novelty=table(40), fused=short.fused.table)
    assert (new.domain, new.kept_coverage, new.temperature) == ("SURVEY", None, 0.7)


def test_short_spectra_keep_all_that_they_were_judged_by() -> None:
    new = recalibrated(OLD, {"WHOLE": calibration(30)}, SAME, DOMAIN, **OTHERS)
    assert new.short_coverage == OLD.short_coverage
    assert new.kept_coverage == "SHORT"


def test_whole_spectra_keep_all_that_they_were_judged_by() -> None:
    new = recalibrated(OLD, {"SHORT": calibration(30)}, SAME, DOMAIN, **OTHERS)
    assert (new.n, new.novelty, new.fused, new.p_other_threshold) == (10, OLD.novelty, OLD.fused, 0.01)
    assert new.kept_coverage == "WHOLE"


@pytest.mark.parametrize(
    ("declared", "limit"),
    [
        (Declared(0.05, 0.025, 0.99), 0.9),
        (Declared(0.05, 0.025, 0.9), 0.9),
        (Declared(0.002, 0.001, 0.99), None),
        (Declared(0.05, 0.025, 0.999), None),
    ],
)
def test_a_threshold_is_kept_only_where_it_holds_what_is_declared(declared: Declared, limit: float | None) -> None:
    """Its p-values serve any rate all the same."""
    new = recalibrated(OLD, {"WHOLE": calibration(30)}, declared, DOMAIN, **OTHERS)
    assert new.short_coverage is not None
    assert OLD.short_coverage is not None
    assert new.short_coverage.p_other_threshold == limit
    assert new.short_coverage.novelty == OLD.short_coverage.novelty


@pytest.mark.parametrize("digest", ["b", None])
def test_a_fused_table_is_of_one_anomaly_bundle(digest: str | None) -> None:
    new = recalibrated(OLD, {"WHOLE": calibration(30, digest)}, SAME, DOMAIN, **OTHERS)
    assert new.short_coverage is not None
    assert OLD.short_coverage is not None
    assert new.short_coverage.fused is None
    assert new.short_coverage.novelty == OLD.short_coverage.novelty


def test_where_coverages_were_not_told_apart_short_spectra_are_judged_as_before() -> None:
    old = OLD.model_copy(update={"short_coverage": None})
    part = recalibrated(old, {"WHOLE": calibration(30)}, SAME, DOMAIN, **OTHERS).short_coverage
    assert old.fused is not None
    assert part == ShortCoverage(n=10, p_other_threshold=0.01, novelty=table(10), fused=old.fused.table)


def test_a_domain_without_short_records_has_no_groups() -> None:
    domain = Domain(min_coverage=0.3, full_coverage=0.0)
    new = recalibrated(calibration(10), {"WHOLE": calibration(30)}, SAME, domain, **OTHERS)
    assert (new.short_coverage, new.kept_coverage) == (None, None)


def test_whole_spectra_must_be_labelled_where_their_tables_cannot_be_kept() -> None:
    found = {"WHOLE": np.arange(3), "SHORT": np.arange(10)}
    assert set(with_enough(found, 10, SAME, whole_can_be_kept=True)) == {"SHORT"}  # type: ignore[arg-type]
    with pytest.raises(TooFewLabels, match="received 3 and 10 that lack wavelengths"):
        with_enough(found, 10, SAME, whole_can_be_kept=False)  # type: ignore[arg-type]
